"""How time and memory grow from a thousand leases to a million.

For each size, in a sandbox of its own: the plan, the preview, the scan for overdue invoices, the
arrears, and the time from launching a run to its first step. Draws docs/images/growth.svg.
"""

import math
import multiprocessing
import resource
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from sqlalchemy import Engine, create_engine, text

from bench import planning, portfolio
from bench.figures import Figure, show, timed
from leaseup_dagster.arrears import summary
from leaseup_dagster.invoicing.planning.planner import preview
from leaseup_dagster.reminders.overdue import queries, selection
from leaseup_dagster.reminders.rules.policy import ReminderPolicy
from leaseup_dagster.sandbox.world import World, a_world
from leaseup_dagster.settings import TaskSettings

SIZES = (1_000, 10_000, 100_000, 1_000_000)
MEASURED = ("plan", "preview", "find late invoices", "arrears", "start of a run")
_LISTED = 100
# Dagster stores the timestamp in UTC, without a time zone.
_FIRST_STEP = text(
    "SELECT extract(epoch FROM min(timestamp)) FROM event_logs"
    " WHERE dagster_event_type = 'STEP_START'"
)


@dataclass(frozen=True)
class Growth:
    """For a number of leases: the seconds of each of `MEASURED`, and the peak memory."""

    leases: int
    seconds: tuple[float, ...]
    megabytes: float


def figures() -> Iterator[Figure]:
    """Run this benchmark; each figure as soon as it is measured."""
    sizes = []
    for leases in SIZES:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            sizes.append(process.submit(_measure, leases).result())
    seconds = {what: [size.seconds[at] for size in sizes] for at, what in enumerate(MEASURED)}
    for what, times in seconds.items():
        listed = ", ".join(f"{one:.2f} s" for one in times)
        tenfold = math.log10(times[-1] / times[0]) / math.log10(SIZES[-1] / SIZES[0])
        yield Figure(
            f"{what}, of {', '.join(f'{leases:,}' for leases in SIZES)} leases",
            f"{listed}: {10**tenfold:.1f} times as long for ten times as many",
        )
    memory = ", ".join(f"{size.megabytes:.0f} MB" for size in sizes)
    yield Figure("memory of the Python process meanwhile", memory)
    from bench import plot  # noqa: PLC0415 - only this part needs matplotlib

    plot.draw_growth([size.leases for size in sizes], seconds, [size.megabytes for size in sizes])


def _measure(leases: int) -> Growth:
    with a_world(TASK_MAX_NEW_INVOICES=str(leases)) as world:
        portfolio.let(world, leases)
        tasks = TaskSettings()
        previewed = timed(lambda: preview(world.engine, planning.AS_OF, tasks, _LISTED))
        planned = planning.plan(world.engine)
        with world.engine.begin() as connection:
            portfolio.lay_out_history(connection, leases, 1, planning.AS_OF)
        with world.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.exec_driver_sql("ANALYZE")
        overdue = timed(lambda: _find_overdue(world.engine))
        owed = timed(lambda: _arrears(world.engine))
        started = _start(world)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Growth(leases, (planned, previewed, overdue, owed, started), memory)


def _find_overdue(engine: Engine) -> None:
    with engine.begin() as connection:
        queries.mark_overdue(connection, planning.AS_OF)
    with engine.begin() as connection:
        selection.find(connection, ReminderPolicy(3, 7, 4), planning.AS_OF)


def _arrears(engine: Engine) -> None:
    with engine.connect() as connection:
        summary.arrears(connection, planning.AS_OF, _LISTED)


def _start(world: World) -> float:
    """Seconds from launching a run to its first step."""
    began = time.time()
    command = ("-m", "leaseup_dagster.definitions", "-j", "preview_upcoming_invoices")
    if world.children.wait(world.dagster("job", "execute", *command)) != 0:
        raise SystemExit(world.log_tail())
    storage = create_engine(world.dagster_url)
    with storage.connect() as connection:
        first = connection.execute(_FIRST_STEP).scalar_one()
    storage.dispose()
    return float(first) - began


if __name__ == "__main__":
    show(figures())
