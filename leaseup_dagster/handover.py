"""How a day that is too large for one run goes from run to run.

The next one begins before the one at work ends: both share the quota for a minute, and no minute is
lost. Nothing here keeps two runs apart: that what is sent is claimed first does.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, TypeVar

import dagster as dg

from leaseup_dagster.stopping import CONTINUES

Item = TypeVar("Item")

HANDOVER = timedelta(seconds=75)
"""How long before a run takes on nothing more the next one is launched, at most: a sensor checks
each 30 seconds, and a run takes some to start and to find what is left."""

REST = timedelta(hours=1)
"""How long what a run left is left alone, if that run went wrong: it may need a person."""

AT_WORK = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)

_LANE = "leaseup/exclusive"
"""Of each value of this tag there is one run at work at a time."""

_RUNS_AT_ONCE = 16
_LONGEST_RUN = timedelta(seconds=300)


def stopped_by_a_person(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str | None:
    """The id of this run, or of the one it continues, if that is what became of it."""
    before = run.tags.get(CONTINUES)
    stopping = (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED)
    for one in (run, instance.get_run_by_id(before) if before else None):
        if one and one.status in stopping:
            return one.run_id
    return None


def is_nearly_over(record: dg.RunRecord, taking_seconds: float, now: datetime) -> bool:
    """Whether a run that is at work will soon take on nothing more: `taking_seconds` after it
    began. One that has not begun is not."""
    if record.start_time is None:
        return False
    elapsed = now - datetime.fromtimestamp(record.start_time, tz=timezone.utc)
    takes = timedelta(seconds=taking_seconds)
    return elapsed >= takes - min(HANDOVER, takes / 2)


def run_after(run: dg.DagsterRun, config: Mapping[str, Any] | None = None) -> dg.RunRequest:
    """The run that goes on where `run` stops, beside it if it still is at work; one for each."""
    lanes = (run.job_name, f"{run.job_name}, alternate")
    others = [lane for lane in lanes if lane != run.tags.get(_LANE)]
    return dg.RunRequest(
        run_key=f"after-{run.run_id}",
        run_config=config,
        tags={CONTINUES: run.run_id, _LANE: others[0]},
    )


def place_among_runs(context: dg.OpExecutionContext) -> tuple[int, int]:
    """Which one this run is, and of how many that are at work on the same job now: the run that
    was launched first is 0."""
    # One that was killed in a shell may be said to be at work for ever.
    lately = datetime.now(tz=timezone.utc) - _LONGEST_RUN
    at_work = dg.RunsFilter(
        job_name=context.job_name, statuses=[dg.DagsterRunStatus.STARTED], updated_after=lately
    )
    newest_first = context.instance.get_run_ids(at_work, limit=_RUNS_AT_ONCE)
    runs = list(dict.fromkeys([*reversed(newest_first), context.run_id]))
    return runs.index(context.run_id), len(runs)


def share(items: Sequence[Item], index: int, of: int) -> list[Item]:
    """All of them, beginning where the `index`-th `of` so many runs begins: runs that are at work
    at once meet when nearly all is done, and not at each item."""
    first = len(items) * index // of
    return [*items[first:], *items[:first]]
