"""What a person launches, and the clock: the jobs of reminders and the 09:00 schedule."""

import dagster as dg

from leaseup_dagster.labels import DAILY, OWNERS, READ_ONLY, WEEKLY
from leaseup_dagster.reminders.checks import check_reminders
from leaseup_dagster.reminders.communications.ops import ask_for_delivery_status, forget_old_texts
from leaseup_dagster.reminders.sending.ops import (
    cut_reminders_into_batches,
    find_late_invoices,
    look_up_unanswered_texts,
    mark_overdue_invoices,
    preview_reminders,
    report_reminders,
    send_reminders,
)
from leaseup_dagster.schedules import daily, daily_as_of_now, on_sundays

reminders = dg.AssetSpec(
    "reminders",
    group_name="rent",
    owners=OWNERS,
    kinds={"sms"},
    deps=["payment_requests"],
    description="Made by send_late_payment_reminders, every day at 09:00 SAST (schedule"
    " reminders_at_nine). Whom each morning texted, and whom not and why. The numbers are plotted"
    " over time; each event holds that morning's report.",
)


@dg.job(
    description="Texts the tenants who are late, unless Paystack says that they have paid, and"
    " marks what is past due as OVERDUE. Safe to launch at any time: nobody is texted twice for"
    " one step of the schedule. Runs by itself at 09:00.",
    tags={**DAILY, "leaseup/exclusive": "send_late_payment_reminders"},
)
def send_late_payment_reminders() -> None:
    day = mark_overdue_invoices()
    settled = look_up_unanswered_texts(day)
    late = find_late_invoices(day, settled)
    reports = cut_reminders_into_batches(day, late).map(send_reminders).collect()
    report_reminders(day, settled, late, reports)
    check_reminders(reports)


@dg.job(
    description="Shows whom send_late_payment_reminders would text on a day, about how much, and"
    " whom it would skip with the reason. Writes nothing and calls nobody.",
    tags=READ_ONLY,
)
def preview_late_payment_reminders() -> None:
    preview_reminders()


@dg.job(
    description="Asks Twilio what became of the texts it took in the last week, and keeps the"
    " answer for the communications record. AWS SNS has no such answer: the run says so and ends."
    " Runs by itself at 18:00.",
    tags={**DAILY, "leaseup/exclusive": "update_delivery_status"},
)
def update_delivery_status() -> None:
    ask_for_delivery_status()


@dg.job(
    description="Deletes texts about settled invoices after COMMUNICATIONS_RETENTION_DAYS (three"
    " years); those about open ones lose the number and the words. The ledgers' history, which"
    " holds ids only, stays. Runs by itself every Sunday at 03:00.",
    tags=WEEKLY,
)
def forget_old_communications() -> None:
    forget_old_texts()


delivery_status_at_six = daily_as_of_now(
    "delivery_status_at_six",
    update_delivery_status,
    "18:00",
    why_then=", when the morning's texts have arrived",
)


retention_on_sundays = on_sundays("retention_on_sundays", forget_old_communications, "03:00")


reminders_at_nine = daily(
    "reminders_at_nine", send_late_payment_reminders, "09:00", first_step="mark_overdue_invoices"
)
