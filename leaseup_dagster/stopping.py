"""How a run stops: asked to (Terminate, SIGTERM, Ctrl-C) or out of time.

Stop means stop: after it no request leaves; what is in flight comes home and is recorded.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from typing import TypeVar

from dagster import (
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    OpExecutionContext,
    RunsFilter,
)
from dagster._core.errors import DagsterExecutionInterruptedError

Item = TypeVar("Item")
Result = TypeVar("Result")

CONTINUES = "leaseup/continues"
"""The tag that names the run whose day's work this one continues."""

PROGRESS_SECONDS = 20.0
"""How often a run says how far it is: each time costs Dagster's storage an event."""

_WAKE_SECONDS = 0.05
_POLL_SECONDS = 1.0
_GOING_ON = (DagsterRunStatus.STARTING, DagsterRunStatus.STARTED)
_STOPPING = [DagsterRunStatus.CANCELING, DagsterRunStatus.CANCELED]


def in_flight(
    act: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    width: int,
    stop: threading.Event,
    seconds: float = float("inf"),
    on_progress: Callable[[int], None] | None = None,
) -> list[Result]:
    """`act(item)` for all, `width` at once, results in the order of the items.

    Each `PROGRESS_SECONDS` while it lasts, `on_progress` is called with the number done.

    After `seconds`, or when the process is asked to stop, `stop` is set: `act` must check it
    before each request and come home. Asked to stop, the interrupt is raised on the way out.
    """
    if not items:
        return []
    out_of_time_at = time.monotonic() + seconds
    with _catching_signals(stop), ThreadPoolExecutor(width) as pool:
        futures = [pool.submit(act, item) for item in items]
        left = set(futures)
        report_at = time.monotonic() + PROGRESS_SECONDS
        # Waking up often: a main thread that waits for good can sleep through a signal.
        while left:
            if time.monotonic() >= out_of_time_at:
                stop.set()
            left = wait(left, timeout=_WAKE_SECONDS).not_done
            if on_progress and time.monotonic() >= report_at:
                report_at += PROGRESS_SECONDS
                on_progress(len(futures) - len(left))
    return [future.result() for future in futures]


@contextmanager
def _catching_signals(stop: threading.Event) -> Iterator[None]:
    """Inside, a signal only sets `stop`; the run ends on the way out.

    An exception raised by the signal itself at any bytecode can be lost in a callback, turned
    into an HTTP client's error, or leave a lock held.
    """
    stopped = False

    def on_progress(*_: object) -> None:
        nonlocal stopped
        stopped = True
        stop.set()

    in_main_thread = threading.current_thread() is threading.main_thread()
    signals = (signal.SIGINT, signal.SIGTERM) if in_main_thread else ()
    before = {number: signal.signal(number, on_progress) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if stopped:
        raise DagsterExecutionInterruptedError("The run was asked to stop.")


@contextmanager
def stopping_with_its_run(
    stop: threading.Event, instance: DagsterInstance, run_id: str, *, from_second: float = 0
) -> Iterator[None]:
    """Inside, `stop` is set once the run is asked to stop or has ended, wherever that was said, or
    the run is asked to stop from which it took over, or that took over from it.

    A step on another machine than its run gets no signal; it asks Dagster's storage each second,
    beginning with second `from_second`.
    """
    left = threading.Event()

    def check() -> None:
        # A storage that cannot be asked, in whatever words it says so, is no reason to stop: the
        # step itself will notice.
        with suppress(Exception):
            run = instance.get_run_by_id(run_id)
            if run is None or run.status not in _GOING_ON or _is_over_for_the_day(instance, run):
                stop.set()

    def watch() -> None:
        if left.wait(from_second):
            return
        while not (left.wait(_POLL_SECONDS) or stop.is_set()):
            check()

    if not from_second:
        check()
    watcher = threading.Thread(target=watch, name="stopping-with-its-run", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        left.set()
        watcher.join()


def _is_over_for_the_day(instance: DagsterInstance, run: DagsterRun) -> bool:
    """Whether a person stopped the run before it in the day's work, or the one after it."""
    after = RunsFilter(tags={CONTINUES: run.run_id}, statuses=_STOPPING)
    before = RunsFilter(run_ids=[run.tags.get(CONTINUES, "")], statuses=_STOPPING)
    return any(instance.get_run_ids(linked, limit=1) for linked in (after, before))


def seconds_left(context: OpExecutionContext, allowed: float) -> float:
    """What is left of the `allowed` seconds since this run started, in whatever process."""
    record = context.instance.get_run_record_by_id(context.run_id)
    if record is None or record.start_time is None:
        return allowed
    return allowed - (time.time() - record.start_time)
