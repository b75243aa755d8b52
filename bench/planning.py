"""Planning millions of leases, as the invoicing job does: the time and the memory it takes."""

import resource
import time
from collections.abc import Iterator
from datetime import date
from statistics import median

from sqlalchemy import Engine

from bench import portfolio
from bench.figures import Figure, at_most, show, timed
from leaseup_dagster.database.url import ALLOW_LONG
from leaseup_dagster.invoicing.planning import planner
from leaseup_dagster.invoicing.planning.eligibility import bindings, eligibilities, statement
from leaseup_dagster.invoicing.planning.months import NEXT_MONTHS
from leaseup_dagster.settings import TaskSettings

WANTED = {1_000_000: 15, 5_000_000: 60}
PREVIEWED = 1_000_000
AS_OF = date(2026, 11, 24)


def figures() -> Iterator[Figure]:
    """Run this benchmark; each figure as soon as it is measured."""
    for leases, seconds in WANTED.items():
        with portfolio.a_database(leases) as engine:
            yield at_most(f"plan {leases:,} leases, all new", plan(engine), seconds, " s")
            yield Figure("the same again, nothing new", f"{plan(engine):.2f} s")
            if leases == PREVIEWED:
                yield from _previewing(engine)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield at_most("Python process meanwhile", memory, 250, " MB")


def plan(engine: Engine) -> float:
    """Seconds of one plan, which is committed."""
    began = time.perf_counter()
    with planner.planned(engine, AS_OF, TaskSettings()):
        pass
    return time.perf_counter() - began


def _previewing(engine: Engine) -> Iterator[Figure]:
    """Compared with one bare statement that only counts, on one connection."""
    bare = median(_counted(engine) for _ in range(3))
    whole = median(_previewed(engine) for _ in range(3))
    what = f"preview {PREVIEWED:,} leases ({whole:.1f} s) beside one bare statement ({bare:.1f} s)"
    yield at_most(what, whole / bare, 1.3)


def _previewed(engine: Engine) -> float:
    return timed(lambda: planner.preview(engine, AS_OF, TaskSettings(), limit=100))


def _counted(engine: Engine) -> float:
    counting = statement(
        eligibilities(NEXT_MONTHS) + "SELECT reason, count(*) FROM eligibility GROUP BY 1"
    )
    with engine.connect() as connection:
        connection.execute(ALLOW_LONG)
        values = bindings(AS_OF, TaskSettings())
        return timed(lambda: connection.execute(counting, values).all())


if __name__ == "__main__":
    show(figures())
