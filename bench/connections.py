"""What a transaction costs before it does anything: as SQLAlchemy has it, as ours, and pooled.

python -m bench.connections [URL of a pooler to the same server]
"""

import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import Engine, create_engine, text

from leaseup_dagster.database.session import session_engine
from leaseup_dagster.database.url import engine_url
from leaseup_dagster.sandbox.postgres import embedded_postgres

ROUNDS, TRANSACTIONS = 7, 2000
ONE = text("SELECT lower(:word)")


def microseconds(engine: Engine) -> float:
    began = time.perf_counter()
    for _ in range(TRANSACTIONS):
        with engine.begin() as connection:
            connection.execute(ONE, {"word": "Rent"})
    return (time.perf_counter() - began) / TRANSACTIONS * 1e6


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        embedded_postgres(Path(folder) / "data") as server,
    ):
        url = engine_url(server.url("postgres"), "a-run")
        engines = {"startup options": create_engine(url), "ours, directly": session_engine(url)}
        if len(sys.argv) > 1:
            engines["ours, pooled"] = session_engine(engine_url(sys.argv[1], "a-run"))
        best = dict.fromkeys(engines, float("inf"))
        for _ in range(ROUNDS):
            for name, engine in engines.items():
                best[name] = min(best[name], microseconds(engine))
        for name, engine in engines.items():
            engine.dispose()
            print(f"{name:16} {best[name]:6.0f} µs a transaction")


if __name__ == "__main__":
    main()
