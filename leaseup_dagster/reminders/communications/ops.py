"""The steps that keep the communications record, as Dagster sees them."""

from datetime import timedelta

import dagster as dg
from sqlalchemy import Engine

from leaseup_dagster.reminders.communications import delivery_status
from leaseup_dagster.reminders.communications.record import forget
from leaseup_dagster.retries import SERVICE_UNREACHABLE
from leaseup_dagster.settings import CommunicationsSettings, TaskSettings
from leaseup_dagster.sms.sender import Sender
from leaseup_dagster.stopping import seconds_left

_NO_STATUS = "aws-sns"


@dg.op(
    retry_policy=SERVICE_UNREACHABLE,
    description="Asks Twilio what became of the texts of the last week that it took and has not"
    " yet said. Sends nothing. Fails the run if Twilio cannot be asked.",
)
def ask_for_delivery_status(
    context: dg.OpExecutionContext,
    engine: dg.ResourceParam[Engine],
    sms: dg.ResourceParam[Sender | None],
    tasks: dg.ResourceParam[TaskSettings],
) -> None:
    if sms is None:
        context.log.info("SMS_ENABLED is false: there is nobody to ask")
        return
    if sms.provider == _NO_STATUS:
        context.log.info("AWS SNS has no delivery status to ask for: accepted is all it tells")
        return
    statuses = delivery_status.update(engine, sms, seconds_left(context, tasks.taking_seconds))
    said = ", ".join(f"{count} {status}" for status, count in statuses.statuses.most_common())
    context.log.info(f"Delivery of texts: {said or 'nothing new'}; {statuses.not_asked} not known")
    context.add_output_metadata(
        {**statuses.statuses, "not known": statuses.not_asked, "why": statuses.why}
    )
    if statuses.not_asked and not statuses.statuses:
        raise dg.Failure(f"No delivery status: {statuses.why}", allow_retries=False)


@dg.op(
    retry_policy=SERVICE_UNREACHABLE,
    description="Forgets texts older than COMMUNICATIONS_RETENTION_DAYS. Those about invoices that"
    " are still open keep their row, without number and words, so that nobody is texted twice.",
)
def forget_old_texts(
    context: dg.OpExecutionContext,
    engine: dg.ResourceParam[Engine],
    communications: dg.ResourceParam[CommunicationsSettings],
) -> None:
    with engine.begin() as connection:
        done = forget(connection, timedelta(days=communications.retention_days))
    context.log.info(
        f"Older than {communications.retention_days} days: {done.deleted} texts deleted,"
        f" {done.blanked} kept without number and words, their invoices are open"
    )
    context.add_output_metadata({"deleted": done.deleted, "kept without number": done.blanked})
