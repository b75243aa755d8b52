"""What a person launches, and the clock: the jobs that tell landlords and the 08:30 schedule."""

import dagster as dg

from leaseup_dagster.as_of import JOHANNESBURG
from leaseup_dagster.landlords.ops import (
    begin_telling,
    preview_landlord_news,
    report_telling,
    tell_each_landlord,
)
from leaseup_dagster.retries import BY_ITSELF, READ_ONLY
from leaseup_dagster.run_config import run_for_its_day

landlord_emails = dg.AssetSpec(
    "landlord_emails",
    group_name="rent",
    deps=["arrears"],
    description="Made by tell_landlords, every day at 08:30 SAST (schedule"
    " landlords_at_half_past_eight). Which landlords were notified of what is new with their"
    " rent, in one"
    " e-mail a day at most. The numbers are plotted over time.",
)


@dg.job(
    description="Sends one e-mail to each landlord who has news: invoices sent, payments, arrears,"
    " leases that end, what only they can put right. Nothing is sent twice. Off until"
    " LANDLORD_EMAILS_ENABLED is true. Runs by itself at 08:30.",
    tags={**BY_ITSELF, "leaseup/exclusive": "tell_landlords"},
)
def tell_landlords() -> None:
    report_telling(tell_each_landlord(begin_telling()))


@dg.job(
    description="Shows what tell_landlords would tell each landlord, rendered, without anybody's"
    " name. Writes nothing and sends nothing.",
    tags=READ_ONLY,
)
def preview_landlord_emails() -> None:
    preview_landlord_news()


@dg.schedule(
    job=tell_landlords,
    cron_schedule="30 8 * * *",
    execution_timezone=JOHANNESBURG.key,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every day at 08:30 in Johannesburg.",
)
def landlords_at_half_past_eight(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    return run_for_its_day(context, "begin_telling")
