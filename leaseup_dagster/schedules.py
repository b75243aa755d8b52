"""Schedules in Johannesburg's time: daily or on Sundays, switched on from the first start."""

from collections.abc import Callable

import dagster as dg

from leaseup_dagster.as_of import JOHANNESBURG
from leaseup_dagster.run_config import run_for_its_day


def daily(
    name: str, job: dg.JobDefinition, at: str, *, first_step: str, why_then: str = ""
) -> dg.ScheduleDefinition:
    """Each day at `at`, such as "07:00"; the job's first step gets the schedule's own day."""

    def run(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return run_for_its_day(context, first_step)

    return _schedule(name, job, at, run, f"Every day at {at} in Johannesburg{why_then}.")


def daily_as_of_now(
    name: str, job: dg.JobDefinition, at: str, *, why_then: str = ""
) -> dg.ScheduleDefinition:
    """Each day at `at`, for a job that needs no day."""
    return _schedule(name, job, at, _once, f"Every day at {at} in Johannesburg{why_then}.")


def on_sundays(name: str, job: dg.JobDefinition, at: str) -> dg.ScheduleDefinition:
    """Each Sunday at `at`."""
    return _schedule(name, job, at, _once, f"Every Sunday at {at} in Johannesburg.", days="0")


def _once(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    return dg.RunRequest(run_key=context.scheduled_execution_time.isoformat())


def _schedule(
    name: str,
    job: dg.JobDefinition,
    at: str,
    run: Callable[[dg.ScheduleEvaluationContext], dg.RunRequest],
    description: str,
    days: str = "*",
) -> dg.ScheduleDefinition:
    hour, minute = map(int, at.split(":"))
    return dg.schedule(
        name=name,
        job=job,
        cron_schedule=f"{minute} {hour} * * {days}",
        execution_timezone=JOHANNESBURG.key,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=description,
    )(run)
