"""The overhead of one transaction: with SQLAlchemy's engine, with ours, and through a pooler.

python -m bench.connections [URL of a pooler to the same server]
"""

import sys
import time

from sqlalchemy import Engine, create_engine, text

from bench import portfolio
from leaseup_dagster.database.session import session_engine
from leaseup_dagster.database.url import engine_url

ROUNDS, TRANSACTIONS = 7, 2000
STATEMENT = text("SELECT lower(:word)")


def microseconds(engine: Engine) -> float:
    """The mean time of one transaction that does next to nothing."""
    began = time.perf_counter()
    for _ in range(TRANSACTIONS):
        with engine.begin() as connection:
            connection.execute(STATEMENT, {"word": "Rent"})
    return (time.perf_counter() - began) / TRANSACTIONS * 1e6


def main() -> None:
    """Print the fastest of `ROUNDS` rounds for each engine."""
    with portfolio.a_server() as server:
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
