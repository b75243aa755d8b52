"""Who launches the morning's reminders again, on the same day: when one run had no time for all."""

from collections.abc import Mapping
from datetime import date, datetime, timezone
from typing import Any

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorType
from sqlalchemy import Connection, Engine

from leaseup_dagster.as_of import clock, johannesburg_date, midnight, parse_date
from leaseup_dagster.handover import (
    AT_WORK,
    REST,
    is_nearly_over,
    run_after,
    stopped_by_a_person,
)
from leaseup_dagster.reminders import ledger
from leaseup_dagster.reminders.jobs import reminders_at_nine, send_late_payment_reminders
from leaseup_dagster.reminders.overdue import selection
from leaseup_dagster.reminders.rules.policy import ReminderPolicy
from leaseup_dagster.reminders.rules.quiet_hours import QuietHours
from leaseup_dagster.reminders.sending.ops import mark_overdue_invoices
from leaseup_dagster.reminders.sending.report import LEFT_OVER
from leaseup_dagster.settings import ReminderSettings, TaskSettings

_RUNS_OF_A_DAY = 20


@dg.sensor(
    job=send_late_payment_reminders,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Goes on when send_late_payment_reminders had no time for all: launches it again"
    " for the same day until nobody is left, shortly before the time of the one at work is up, and"
    " an hour after one that failed. Not in the quiet hours, nor while reminders_at_nine is off,"
    " nor after a run that texted nobody or that a person stopped: the next morning goes on.",
)
def due_reminders_left(
    context: dg.SensorEvaluationContext,
    engine: dg.ResourceParam[Engine],
    reminder_rules: dg.ResourceParam[ReminderSettings],
    tasks: dg.ResourceParam[TaskSettings],
) -> dg.RunRequest | dg.SkipReason:
    now = datetime.now(tz=timezone.utc)
    return evaluate_leftover_invoices(context, engine, reminder_rules, tasks, now=now)


def evaluate_leftover_invoices(
    context: dg.SensorEvaluationContext,
    engine: Engine,
    rules: ReminderSettings,
    tasks: TaskSettings,
    *,
    now: datetime,
) -> dg.RunRequest | dg.SkipReason:
    """What the sensor does at `now`. Each run is followed by at most one that it asks for."""
    today = johannesburg_date(now)
    record = _newest(context.instance, today)
    why_not = _why_not(context.instance, rules, record, now)
    if record is None or why_not:
        return dg.SkipReason(why_not or f"No run for {today} yet")
    run = record.dagster_run
    at_work = run.status in AT_WORK
    if at_work and not is_nearly_over(record, tasks.taking_seconds, now):
        return dg.SkipReason(f"Run {run.run_id} is at work")
    with engine.begin() as connection:
        if not ledger.has_sent(connection, run.run_id):
            return dg.SkipReason(f"Run {run.run_id} texted nobody: the next morning goes on")
        left = _due(connection, rules, today) if at_work else _left(context.instance, run)
    if not left:
        return dg.SkipReason("Nothing is left for today")
    if _is_switched_off(context.instance):
        return dg.SkipReason(f"{reminders_at_nine.name} is switched off, so nobody is texted")
    context.log.info(f"Run {run.run_id} leaves {left} reminders")
    return run_after(run, _config(run, today))


def _why_not(
    instance: dg.DagsterInstance,
    rules: ReminderSettings,
    record: dg.RunRecord | None,
    now: datetime,
) -> str | None:
    """Why nothing is launched now, whatever is left."""
    if QuietHours.of(rules).hold_at(now):
        return "Nobody is texted in the quiet hours"
    if record is None:
        return None
    run, rests_until = record.dagster_run, record.update_timestamp + REST
    stopped = stopped_by_a_person(instance, run)
    if stopped:
        return f"Run {stopped} was stopped by a person: the next morning goes on"
    if run.status is dg.DagsterRunStatus.FAILURE and now < rests_until:
        return f"Run {run.run_id} failed: what it left rests until {clock(rests_until)}"
    return None


def _is_switched_off(instance: dg.DagsterInstance) -> bool:
    """Whether a person has switched the schedule off: they want no texts that they did not launch,
    as after a restored backup, when the ledger no longer has some."""
    states = instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE)
    return any(
        state.instigator_name == reminders_at_nine.name and not state.is_running for state in states
    )


def _newest(instance: dg.DagsterInstance, today: date) -> dg.RunRecord | None:
    """The run that was launched last of those that work for today."""
    since = dg.RunsFilter(job_name=send_late_payment_reminders.name, created_after=midnight(today))
    records = instance.get_run_records(since, limit=_RUNS_OF_A_DAY)
    return next((one for one in records if _day(one) == today), None)


def _day(record: dg.RunRecord) -> date | None:
    """The day the run works for; None where its config is none."""
    configured = str(_config_of(record.dagster_run).get("as_of") or "").strip()
    try:
        return parse_date(configured, "as_of") if configured else _began_on(record)
    except ValueError:
        return None


def _began_on(record: dg.RunRecord) -> date:
    if record.start_time is None:
        return johannesburg_date(record.create_timestamp)
    return johannesburg_date(datetime.fromtimestamp(record.start_time, tz=timezone.utc))


def _config_of(run: dg.DagsterRun) -> Mapping[str, Any]:
    """The config of the run's first step. A failed run's config may be no config at all."""
    found: Any = run.run_config
    for name in ("ops", mark_overdue_invoices.name, "config"):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _due(connection: Connection, rules: ReminderSettings, today: date) -> int:
    """Invoices about which somebody is due a text, also those who will get none."""
    return len(selection.find(connection, ReminderPolicy.of(rules), today).due)


def _left(instance: dg.DagsterInstance, run: dg.DagsterRun) -> int:
    """What the run's report says that it left for the next; 0 if it has none."""
    left = 0
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
        materialization = entry.asset_materialization
        said = materialization.metadata.get(LEFT_OVER) if materialization else None
        left = int(str(said.value)) if said else left
    return left


def _config(run: dg.DagsterRun, today: date) -> dict[str, Any]:
    """The same day, and what a person has confirmed for it: what is left is a part of that. Not
    `ignore_quiet_hours`, by which a person wanted texts then and there."""
    config = _config_of(run)
    kept = {name: config[name] for name in ("confirm_up_to",) if name in config}
    config = {"as_of": today.isoformat(), **kept}
    return {"ops": {mark_overdue_invoices.name: {"config": config}}}
