"""Who launches the morning's run again: when it had no time for all, or failed before its plan."""

from datetime import datetime, timedelta, timezone

import dagster as dg
from sqlalchemy import Engine

from leaseup_dagster.as_of import clock
from leaseup_dagster.handover import (
    AT_WORK,
    REST,
    is_nearly_over,
    run_after,
    stopped_by_a_person,
)
from leaseup_dagster.invoicing.jobs import check_upcoming_invoices
from leaseup_dagster.invoicing.ledger import queries
from leaseup_dagster.invoicing.planning.ops import plan_invoices
from leaseup_dagster.settings import TaskSettings

PAUSES = (
    timedelta(minutes=5),
    timedelta(minutes=20),
    timedelta(hours=1),
    timedelta(hours=3),
)
"""How long after a morning that failed before it had planned it is launched again, each time."""

_TRIES = "leaseup/tries"
_BY_ITSELF = ("dagster/schedule_name", "dagster/sensor_name")


@dg.sensor(
    job=check_upcoming_invoices,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Goes on when check_upcoming_invoices had no time for all: launches it again until"
    " nothing planned is left, shortly before the time of the one at work is up, and an hour after"
    " one that billed nothing. A morning that failed before it had planned is launched again after"
    " 5 and 20 minutes, 1 and 3 hours. What a person stopped is left for the next morning.",
)
def planned_invoices_left(
    context: dg.SensorEvaluationContext,
    engine: dg.ResourceParam[Engine],
    tasks: dg.ResourceParam[TaskSettings],
) -> dg.RunRequest | dg.SkipReason:
    return evaluate_leftover_invoices(context, engine, tasks, now=datetime.now(tz=timezone.utc))


def evaluate_leftover_invoices(
    context: dg.SensorEvaluationContext, engine: Engine, tasks: TaskSettings, *, now: datetime
) -> dg.RunRequest | dg.SkipReason:
    """What the sensor does at `now`. Each run is followed by at most one that it asks for."""
    of_the_morning = dg.RunsFilter(job_name=check_upcoming_invoices.name)
    newest = context.instance.get_run_records(of_the_morning, limit=1)
    if not newest:
        return dg.SkipReason("No morning's run yet")
    run, ended_at = newest[0].dagster_run, newest[0].update_timestamp
    stopped = stopped_by_a_person(context.instance, run)
    if stopped:
        return dg.SkipReason(f"Run {stopped} was stopped by a person: the next morning goes on")
    if run.status in AT_WORK:
        return _launch_successor(context, engine, tasks, newest[0], now)
    if _failed_before_its_plan(context.instance, run):
        return _again(run, ended_at, now)
    return _go_on(context, engine, run, ended_at, now)


def _launch_successor(
    context: dg.SensorEvaluationContext,
    engine: Engine,
    tasks: TaskSettings,
    record: dg.RunRecord,
    now: datetime,
) -> dg.RunRequest | dg.SkipReason:
    """The next run begins before this one ends: both share the quota, and no minute is lost."""
    run = record.dagster_run
    at_work = dg.SkipReason(f"Run {run.run_id} is at work")
    if not is_nearly_over(record, tasks.taking_seconds, now):
        return at_work
    with engine.connect() as connection:
        left = queries.count_planned(connection)
    return _after(context, run, left) if left else at_work


def _after(context: dg.SensorEvaluationContext, run: dg.DagsterRun, left: int) -> dg.RunRequest:
    context.log.info(f"Run {run.run_id} leaves {left} planned invoices")
    return run_after(run)


def _go_on(
    context: dg.SensorEvaluationContext,
    engine: Engine,
    run: dg.DagsterRun,
    ended_at: datetime,
    now: datetime,
) -> dg.RunRequest | dg.SkipReason:
    with engine.connect() as connection:
        left = queries.count_open(connection)
        if not left:
            return dg.SkipReason("Nothing planned is left")
        if now < ended_at + REST and not queries.has_billed(connection, run.run_id):
            why = f"Run {run.run_id} billed nothing; what it left is tried an hour after it"
            return dg.SkipReason(why)
    return _after(context, run, left)


def _failed_before_its_plan(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """A run that started by itself, planned nothing, and asks for no person's word."""
    if run.status is not dg.DagsterRunStatus.FAILURE or not run.tags.keys() & set(_BY_ITSELF):
        return False
    plan = plan_invoices.name
    planned = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_SUCCESS)
    if any(entry.dagster_event and entry.dagster_event.step_key == plan for entry in planned):
        return False
    failed = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    return not any("confirm_up_to" in str(entry.dagster_event) for entry in failed)


def _again(run: dg.DagsterRun, ended_at: datetime, now: datetime) -> dg.RunRequest | dg.SkipReason:
    tries = int(run.tags.get(_TRIES, 0))
    if tries >= len(PAUSES):
        why = f"Run {run.run_id} failed before it had planned, as {tries} before it: check it"
        return dg.SkipReason(why)
    at = ended_at + PAUSES[tries]
    if now < at:
        when = clock(at)
        return dg.SkipReason(
            f"Run {run.run_id} failed before it had planned: it is launched again at {when}"
        )
    return dg.RunRequest(run_key=f"again-{run.run_id}", tags={_TRIES: str(tries + 1)})
