"""Planning very many leases, as the morning's job does: seconds, and memory of the process."""

import resource
import time
from collections.abc import Iterator
from datetime import date

from sqlalchemy import Engine

from bench import portfolio
from bench.figures import Figure, at_most, tell
from leaseup_dagster.invoicing import planning
from leaseup_dagster.settings import TaskSettings

WANTED = {1_000_000: 15, 5_000_000: 90}
AS_OF = date(2026, 11, 24)


def figures() -> Iterator[Figure]:
    for leases, seconds in WANTED.items():
        with portfolio.a_database(leases) as engine:
            yield at_most(f"plan {leases:,} leases, all new", plan(engine), seconds, " s")
            yield Figure("the same again, nothing new", f"{plan(engine):.2f} s")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield at_most("Python process meanwhile", memory, 250, " MB")


def plan(engine: Engine) -> float:
    """Seconds."""
    began = time.perf_counter()
    with planning.planned(engine, AS_OF, TaskSettings()):
        pass
    return time.perf_counter() - began


if __name__ == "__main__":
    tell(figures())
