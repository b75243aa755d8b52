"""How time and memory grow from a thousand leases to a million.

Each size in a world of its own: plan, preview, the scan for late invoices, arrears, and how long it
takes from launching a run to its first step. Draws docs/images/growth.svg.
"""

import math
import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from sqlalchemy import Engine, create_engine, make_url, text

from bench import planning, portfolio
from bench.figures import Figure, tell
from leaseup_dagster.arrears import summary
from leaseup_dagster.invoicing.planning.planner import preview
from leaseup_dagster.reminders.overdue import queries, selection
from leaseup_dagster.reminders.rules.policy import ReminderPolicy
from leaseup_dagster.sandbox.world import World, a_world
from leaseup_dagster.settings import TaskSettings

SIZES = (1_000, 10_000, 100_000, 1_000_000)
WHAT = ("plan", "preview", "find late invoices", "arrears", "start of a run")
_LISTED = 100
# Dagster keeps it in UTC, without saying so.
_FIRST_STEP = text(
    "SELECT extract(epoch FROM min(timestamp)) FROM event_logs"
    " WHERE dagster_event_type = 'STEP_START'"
)


@dataclass(frozen=True)
class Grown:
    """Seconds of each of `WHAT` among so many leases, and the largest the process has been."""

    leases: int
    seconds: tuple[float, ...]
    megabytes: float


def figures() -> Iterator[Figure]:
    sizes = []
    for leases in SIZES:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as apart:
            sizes.append(apart.submit(_of, leases).result())
    for at, what in enumerate(WHAT):
        times = [size.seconds[at] for size in sizes]
        said = ", ".join(f"{seconds:.2f} s" for seconds in times)
        tenfold = math.log10(times[-1] / times[0]) / math.log10(SIZES[-1] / SIZES[0])
        yield Figure(
            f"{what}, of {', '.join(f'{leases:,}' for leases in SIZES)} leases",
            f"{said}: {10**tenfold:.1f} times as long for ten times as many",
        )
    memory = ", ".join(f"{size.megabytes:.0f} MB" for size in sizes)
    yield Figure("memory of the Python process meanwhile", memory)
    from bench import plot  # noqa: PLC0415 - the one part that needs a library for pictures

    plot.draw_growth(sizes, WHAT)


def _of(leases: int) -> Grown:
    with a_world(TASK_MAX_NEW_INVOICES=str(leases)) as world:
        portfolio.let(world, leases)
        tasks = TaskSettings()
        previewed = _seconds(lambda: preview(world.engine, planning.AS_OF, tasks, _LISTED))
        planned = planning.plan(world.engine)
        with world.engine.begin() as connection:
            portfolio.lay_out_history(connection, leases, 1, planning.AS_OF)
        with world.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.exec_driver_sql("ANALYZE")
        late = _seconds(lambda: _find_late(world.engine))
        owed = _seconds(lambda: _arrears(world.engine))
        started = _start(world)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Grown(leases, (planned, previewed, late, owed, started), memory)


def _find_late(engine: Engine) -> None:
    with engine.begin() as connection:
        queries.mark_overdue(connection, planning.AS_OF)
    with engine.begin() as connection:
        selection.find(connection, ReminderPolicy(3, 7, 4), planning.AS_OF)


def _arrears(engine: Engine) -> None:
    with engine.connect() as connection:
        summary.arrears(connection, planning.AS_OF, _LISTED)


def _start(world: World) -> float:
    began = time.time()
    command = ("-m", "leaseup_dagster.definitions", "-j", "preview_upcoming_invoices")
    if world.children.wait(world.dagster("job", "execute", *command)) != 0:
        raise SystemExit(world.log_tail())
    storage = create_engine(make_url(world.engine.url).set(database="dagster"))
    with storage.connect() as connection:
        first = connection.execute(_FIRST_STEP).scalar_one()
    storage.dispose()
    return float(first) - began


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


if __name__ == "__main__":
    tell(figures())
