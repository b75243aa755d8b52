"""Planning a million leases in one statement: seconds, and memory of the Python process."""

import resource
import tempfile
import time
from datetime import date
from pathlib import Path

from sqlalchemy import Engine

from bench import portfolio
from leaseup_dagster.database.connection import open_engine
from leaseup_dagster.invoicing import planning
from leaseup_dagster.sandbox.postgres import embedded_postgres
from leaseup_dagster.settings import TaskSettings

LEASES = 1_000_000
AS_OF = date(2026, 11, 24)


def main(leases: int = LEASES) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="leaseup-bench-") as folder,
        embedded_postgres(Path(folder) / "data") as server,
    ):
        server.create_leaseup("leaseup")
        engine = open_engine(server.url("leaseup"), connections=2)
        with engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            portfolio.lay_out(connection, leases, "CUS_bench")
        print(f"planning {leases:,} leases, one statement")
        for what in ("everything new", "nothing new"):
            seconds, planned = _plan(engine)
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"  {what:15} {seconds:6.1f} s   {planned:,} to bill   {memory:.0f} MB in Python")
        engine.dispose()


def _plan(engine: Engine) -> tuple[float, int]:
    began = time.perf_counter()
    with planning.planned(engine, AS_OF, TaskSettings()) as plan:
        pass
    return time.perf_counter() - began, plan.to_bill


if __name__ == "__main__":
    main()
