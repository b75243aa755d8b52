"""Large days: the number of runs, their memory, and the storage that Dagster needs for them.

The first run is launched manually. Each run stops after TASK_MAX_DURATION_SECONDS, and the sensor
`planned_invoices_left` launches the next one, in a daemon as in production. Paystack answers
immediately, so that only the product is measured. Draws docs/images/scaling.svg.
"""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Engine, create_engine, text

from bench import bare, plot, portfolio
from bench.figures import Figure, at_most, show
from leaseup_dagster.sandbox.world import World, a_world

SIZES = (1_000, 10_000, 100_000)
RUN_SECONDS = 90  # a run starts new work during the first 72
STEPS = 200
GROWTH = 1.3

_MADE = "SELECT count(*) FROM leaseup_dagster.invoice_ledger WHERE state = 'invoiced'"
_UNFINISHED = "SELECT count(*) FROM runs WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')"
_RUNS = """
SELECT count(*), max(end_time - start_time), count(*) FILTER (WHERE status <> 'SUCCESS')
FROM runs WHERE pipeline_name = 'check_upcoming_invoices'
"""
_STEPS = """
SELECT count(*) FROM event_logs WHERE dagster_event_type = 'STEP_START' GROUP BY run_id
"""
_WAIT_SECONDS = 2.0


@dataclass(frozen=True)
class Day:
    """What billing `invoices` invoices on one day took."""

    invoices: int
    runs: int
    longest_run: float
    steps: int
    seconds: float
    bare_seconds: float
    peak_megabytes: float
    storage_bytes: float


def figures() -> Iterator[Figure]:
    """Run this benchmark; each figure as soon as it is measured."""
    days = [_measure(invoices) for invoices in SIZES]
    for day in days:
        yield Figure(
            f"{day.invoices:,} invoices, Paystack answering at once",
            f"{day.runs} run{'s' * (day.runs > 1)}, of {day.steps} steps and"
            f" {day.longest_run:.0f} s at most,"
            f" {day.seconds:.0f} s together (a bare loop {day.bare_seconds:.0f} s),"
            f" {day.peak_megabytes:.0f} MB, {day.storage_bytes:.0f} bytes kept by Dagster each",
        )
    first, *_, last = days
    yield at_most("steps of the largest run", max(day.steps for day in days), STEPS)
    yield at_most("seconds of the longest run", max(day.longest_run for day in days), RUN_SECONDS)
    what = f"memory of the largest process, {last.invoices:,} invoices beside {first.invoices:,}"
    yield at_most(what, last.peak_megabytes / first.peak_megabytes, GROWTH)
    plot.draw_scaling(
        [day.invoices for day in days],
        [day.seconds for day in days],
        [day.bare_seconds for day in days],
        [day.peak_megabytes for day in days],
    )


def _measure(invoices: int) -> Day:
    settings = {
        "TASK_MAX_NEW_INVOICES": str(invoices),
        "TASK_MAX_DURATION_SECONDS": str(RUN_SECONDS),
    }
    with a_world(**settings) as world:
        portfolio.let(world, invoices)
        bare_seconds = bare.seconds(world, invoices)
        portfolio.clear_requests(world.paystack)
        storage = create_engine(world.dagster_url)
        before, began = _bytes(storage), time.perf_counter()
        peak = bill(world, storage, invoices)
        seconds = time.perf_counter() - began
        if len(world.paystack.payment_requests) != invoices:
            raise SystemExit(f"payment requests: {len(world.paystack.payment_requests)}")
        runs, longest_run, failed = _all(storage, _RUNS)[0]
        if failed:
            raise SystemExit(
                f"{failed} run{'s' * (failed > 1)} did not succeed:\n\n{world.log_tail()}"
            )
        grown = _bytes(storage) - before
        steps = max(row[0] for row in _all(storage, _STEPS))
        storage.dispose()
    return Day(
        invoices, runs, longest_run, steps, seconds, bare_seconds, peak / 2**20, grown / invoices
    )


def bill(world: World, storage: Engine, invoices: int) -> int:
    """Run jobs until all is billed. Returns the peak memory of the largest process, in bytes."""
    daemon = world.children.start(
        [str(Path(sys.executable).with_name("dagster-daemon")), "run", "-w", str(world.workspace)],
        world.log,
    )
    first = world.dagster(
        "job", "execute", "-m", "leaseup_dagster.definitions", "-j", "check_upcoming_invoices"
    )
    peak = 0
    while (
        first.poll() is None
        or _all(world.engine, _MADE)[0][0] < invoices
        or _all(storage, _UNFINISHED)[0][0]
    ):
        peak = max(peak, _largest_process())
        _pause(world, daemon)
    return peak


def _pause(world: World, daemon: "subprocess.Popen[bytes]") -> None:
    """Wait before the next check. Exits when the daemon ends."""
    ends_at = time.monotonic() + _WAIT_SECONDS
    if world.children.wait(daemon, until=lambda: time.monotonic() > ends_at) is not None:
        raise SystemExit(world.log_tail())


def _largest_process() -> int:
    """Bytes of the largest Python process below this one."""
    largest = 0
    for process in psutil.Process().children(recursive=True):
        try:
            if "python" in process.name() or "dagster" in process.name():
                largest = max(largest, process.memory_info().rss)
        except psutil.Error:
            continue
    return largest


def _all(engine: Engine, sql: str) -> Sequence[Any]:
    with engine.connect() as connection:
        return connection.execute(text(sql)).all()


def _bytes(storage: Engine) -> int:
    return int(_all(storage, "SELECT pg_database_size(current_database())")[0][0])


if __name__ == "__main__":
    show(figures())
