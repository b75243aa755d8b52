"""What goes by itself for the operators: the alerts, the digest, and what is deleted."""

from contextlib import suppress
from datetime import datetime, timedelta, timezone
from logging import Logger

import dagster as dg
from dagster._core.events import JobFailureData
from dagster_shared.error import SerializableErrorInfo

from leaseup_dagster.as_of import JOHANNESBURG, clock, johannesburg_date
from leaseup_dagster.invoicing.jobs import check_upcoming_invoices
from leaseup_dagster.labels import MANUAL, WEEKLY
from leaseup_dagster.operations import alert, launched, missed_runs
from leaseup_dagster.operations.ops import (
    ALERTED,
    REFUSED,
    forget_runs,
    send_digest,
    tell_operators,
)
from leaseup_dagster.run_config import is_refused_config
from leaseup_dagster.schedules import on_sundays
from leaseup_dagster.settings import AlertSettings, load

_WILL_RETRY = "dagster/will_retry"
_LAUNCHED_BY_SENSOR = "dagster/sensor_name"

SAME_AGAIN = timedelta(hours=6)
"""How long a failing job that sensors launch again and again is reported once."""


@dg.run_failure_sensor(
    # Also runs of `dagster job execute`, which no code location has launched.
    monitor_all_code_locations=True,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells the operators (ALERT_SMS_NUMBERS, ALERT_URLS) of each run that failed: job,"
    " run, reason and a link. A run that is started again by itself is reported when that fails;"
    " one that a person launched and that is refused for its config alerts nobody;"
    " a job that sensors launch again and again is reported once in six hours.",
)
def failed_runs(context: dg.RunFailureSensorContext) -> None:
    run = context.dagster_run
    ours = context.repository_def
    if ours and not ours.has_job(run.job_name):
        return
    record = context.instance.get_run_by_id(run.run_id) or run
    if record.tags.get(_WILL_RETRY) == "true":
        context.log.info(f"Run {run.run_id} of {run.job_name} failed and is started again")
        return
    # Below the stacks and the steps that were not executed, where a person checks first.
    context.instance.report_engine_event(alert.in_short(_reasons(context)), run)
    if launched.by_a_person(record.tags) and _is_refused(context):
        context.instance.add_run_tags(run.run_id, {ALERTED: REFUSED})
        context.log.info(
            f"Run {run.run_id} of {run.job_name} was refused for its config; who launched it sees"
            " why, and nobody else is alerted"
        )
        return
    if _LAUNCHED_BY_SENSOR in record.tags and _alerted_recently(context.instance, run.job_name):
        context.log.info(
            f"Run {run.run_id} of {run.job_name} failed; no alert: one was sent for an earlier run"
        )
        return
    _alert_failure(context.instance, run, _reasons(context), context.log)


def _alert_failure(
    instance: dg.DagsterInstance, run: dg.DagsterRun, reasons: list[str], log: Logger
) -> None:
    """And remember on the run that an alert was sent, or that none could be."""
    ui_url = load(AlertSettings).ui_url
    try:
        tell_operators(alert.failed_run(run.job_name, run.run_id, reasons, ui_url), log)
    except dg.Failure:
        instance.add_run_tags(run.run_id, {ALERTED: "not yet"})
        raise
    instance.add_run_tags(run.run_id, {ALERTED: "yes"})


def _alerted_recently(instance: dg.DagsterInstance, job: str) -> bool:
    """Whether a failure of this job was alerted within hours, and none of its runs succeeded
    since."""
    lately = datetime.now(tz=timezone.utc) - SAME_AGAIN
    alerted = dg.RunsFilter(job_name=job, tags={ALERTED: "yes"}, updated_after=lately)
    records = instance.get_run_records(alerted, limit=1)
    if not records:
        return False
    better = dg.RunsFilter(
        job_name=job,
        statuses=[dg.DagsterRunStatus.SUCCESS],
        updated_after=records[0].update_timestamp,
    )
    return not instance.get_run_records(better, limit=1)


def _is_refused(context: dg.RunFailureSensorContext) -> bool:
    """Whether nothing failed but what was written into the run's config."""
    errors = _step_errors(context) or [_run_error(context)]
    return all(is_refused_config(error) for error in errors)


def _step_errors(context: dg.RunFailureSensorContext) -> list[SerializableErrorInfo | None]:
    return [event.step_failure_data.error for event in context.get_step_failure_events()]


def _run_error(context: dg.RunFailureSensorContext) -> SerializableErrorInfo | None:
    data = context.failure_event.event_specific_data
    return data.error if isinstance(data, JobFailureData) else None


def _reasons(context: dg.RunFailureSensorContext) -> list[str]:
    errors = _step_errors(context)
    if errors:
        return [(error.cause or error).message for error in errors if error]
    # It never came to a step: a setting is wrong, or the database is away.
    error = _run_error(context)
    while error and error.cause:
        error = error.cause
    return [error.message] if error else [context.failure_event.message or "no reason was given"]


@dg.sensor(
    minimum_interval_seconds=600,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells the operators, once a day, when check_upcoming_invoices has not succeeded"
    " for ALERT_SILENCE_HOURS (26): a schedule that is off, or runs that fail each morning."
    " Nobody is alerted when the daemon itself is down: let something outside check it.",
)
def morning_run_missing(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    return evaluate_missed_morning(context, datetime.now(tz=timezone.utc))


def evaluate_missed_morning(context: dg.SensorEvaluationContext, now: datetime) -> dg.SkipReason:
    """What the sensor does at `now`."""
    _alert_what_was_not_sent(context)
    settings, kept = load(AlertSettings), missed_runs.watch(context.cursor, now)
    last = _last_success(context.instance)
    if not missed_runs.should_alert(kept, last, now, settings.silence_hours):
        context.update_cursor(kept.as_cursor())
        return dg.SkipReason(f"Last success of {check_upcoming_invoices.name}: {_clock(last)}")
    failed = context.instance.get_runs_count(
        _of_the_morning(dg.DagsterRunStatus.FAILURE, after=last or kept.since)
    )
    tell_operators(
        alert.silence(
            check_upcoming_invoices.name, settings.silence_hours, _clock(last), failed,
            settings.ui_url,
        ),
        context.log,
    )  # fmt: skip
    context.update_cursor(missed_runs.Watch(kept.since, alerted_at=now).as_cursor())
    return dg.SkipReason("The operators were alerted that the morning's run is missing")


def _alert_what_was_not_sent(context: dg.SensorEvaluationContext) -> None:
    """Failures of which nobody could be alerted when they happened: the outage often hides both."""
    unsent = dg.RunsFilter(tags={ALERTED: "not yet"})
    for run in context.instance.get_runs(unsent, limit=3):
        with suppress(dg.Failure):
            late = ["this could not be sent when it happened; the run says why it failed"]
            _alert_failure(context.instance, run, late, context.log)


def _last_success(instance: dg.DagsterInstance) -> datetime | None:
    records = instance.get_run_records(_of_the_morning(dg.DagsterRunStatus.SUCCESS), limit=1)
    return records[0].update_timestamp if records else None


def _of_the_morning(status: dg.DagsterRunStatus, after: datetime | None = None) -> dg.RunsFilter:
    name = check_upcoming_invoices.name
    return dg.RunsFilter(job_name=name, statuses=[status], updated_after=after)


def _clock(instant: datetime | None) -> str:
    return f"{johannesburg_date(instant)} {clock(instant)}" if instant else "never"


@dg.job(
    description="Tells the operators what the last 24 hours came to, and what waits for a person."
    " Launch it at any time; its schedule is off until somebody switches it on.",
    tags=MANUAL,
)
def send_daily_digest() -> None:
    send_digest()


@dg.job(
    description="Deletes what Dagster has kept of runs older than RUNS_RETENTION_DAYS (400)."
    " Bills, texts and their history stay: they are in LeaseUp's database.",
    tags=WEEKLY,
)
def forget_old_runs() -> None:
    forget_runs()


digest_at_ten = dg.ScheduleDefinition(
    name="digest_at_ten",
    job=send_daily_digest,
    cron_schedule="0 10 * * *",
    execution_timezone=JOHANNESBURG.key,
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Every day at 10:00 in Johannesburg, when it is switched on.",
)

old_runs_on_sundays = on_sundays("old_runs_on_sundays", forget_old_runs, "03:30")
