"""What a person launches, and the clock: the jobs that tell landlords and the 08:30 schedule."""

import dagster as dg

from leaseup_dagster.labels import DAILY, OWNERS, READ_ONLY
from leaseup_dagster.landlords.ops import (
    begin_telling,
    preview_landlord_news,
    report_telling,
    tell_each_landlord,
)
from leaseup_dagster.schedules import daily

landlord_emails = dg.AssetSpec(
    "landlord_emails",
    group_name="rent",
    owners=OWNERS,
    kinds={"email"},
    deps=["arrears"],
    description="Made by tell_landlords, every day at 08:30 SAST (schedule"
    " landlords_at_half_past_eight). Which landlords were notified of what is new with their"
    " rent, in one e-mail a day at most. The numbers are plotted over time.",
)


@dg.job(
    description="Sends one e-mail to each landlord who has news: invoices sent, payments, arrears,"
    " leases that end, what only they can put right. Nothing is sent twice. Off until"
    " LANDLORD_EMAILS_ENABLED is true. Runs by itself at 08:30.",
    tags={**DAILY, "leaseup/exclusive": "tell_landlords"},
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


landlords_at_half_past_eight = daily(
    "landlords_at_half_past_eight", tell_landlords, "08:30", first_step="begin_telling"
)
