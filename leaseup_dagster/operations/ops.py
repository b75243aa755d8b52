"""The steps for operators, as Dagster sees them, and how anything of theirs is sent."""

import shutil
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from logging import Logger
from pathlib import Path

import dagster as dg
from sqlalchemy import Engine

from leaseup_dagster.operations import digest
from leaseup_dagster.operations.alert import Alert
from leaseup_dagster.operations.channels import channels, send_all
from leaseup_dagster.settings import AlertSettings, RunsSettings, load

ALERTED = "leaseup/told"
"""The tag that says of a failed run whether operators were alerted."""

REFUSED = "nobody: refused for its config"

_AT_A_TIME = 100
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def tell_operators(alert: Alert, log: Logger) -> None:
    """The alert over every channel there is, and a line for each.

    Raises dg.Failure when there are channels and none of them took it.
    """
    alerted = send_all(channels(load(AlertSettings)), alert)
    log.info(f"{alert.subject}. {alert.body}")
    if not alerted:
        log.warning("Nobody is alerted: set ALERT_SMS_NUMBERS or ALERT_URLS")
    for name, why_not in alerted.items():
        log.info(f"{name}: {f'not sent: {why_not}' if why_not else 'sent'}")
    if alerted and all(alerted.values()):
        raise dg.Failure("Nobody could be alerted; the log says why", allow_retries=False)


@dg.op(
    description="Counts what the last 24 hours came to and what waits for a person, and tells the"
    " operators."
)
def send_digest(context: dg.OpExecutionContext, engine: dg.ResourceParam[Engine]) -> None:
    since = datetime.now(tz=timezone.utc) - timedelta(hours=24)
    with engine.connect() as connection:
        counted = digest.count(connection, since)
    failed = _failed(context.instance, since) - _failed(context.instance, since, {ALERTED: REFUSED})
    tell_operators(digest.in_words(counted, failed, load(AlertSettings).ui_url), context.log)


def _failed(
    instance: dg.DagsterInstance, since: datetime, tags: Mapping[str, str] | None = None
) -> int:
    """Runs that failed after `since`, of those with these tags."""
    failed = [dg.DagsterRunStatus.FAILURE]
    return instance.get_runs_count(
        dg.RunsFilter(statuses=failed, updated_after=since, tags=tags or {})
    )


@dg.op(
    description="Deletes what Dagster has kept of runs that are older than RUNS_RETENTION_DAYS:"
    " events, logs, outputs. The ledgers' history stays."
)
def forget_runs(context: dg.OpExecutionContext) -> None:
    days = load(RunsSettings).retention_days
    ended_before = datetime.now(tz=timezone.utc) - timedelta(days=days)
    deleted = forget_runs_before(context.instance, ended_before)
    context.log.info(f"Runs older than {days} days: {deleted} deleted")
    context.add_output_metadata({"deleted": deleted})


def forget_runs_before(instance: dg.DagsterInstance, ended_before: datetime) -> int:
    """How many were deleted. What Dagster itself leaves behind goes first, so that a crash leaves
    nothing without its run."""
    old = dg.RunsFilter(statuses=_ENDED, updated_before=ended_before)
    deleted = 0
    while ids := instance.get_run_ids(old, limit=_AT_A_TIME):
        for run_id in ids:
            instance.compute_log_manager.delete_logs(prefix=[run_id])
            shutil.rmtree(Path(instance.storage_directory()) / run_id, ignore_errors=True)
            instance.delete_run(run_id)
        deleted += len(ids)
    return deleted
