"""What happens to a lease next, and when, in sentences. Pure."""

from datetime import date, timedelta
from typing import Any

from leaseup_dagster.explanation.facts import Facts
from leaseup_dagster.invoicing.keys import Eligibility
from leaseup_dagster.invoicing.rules.due_dates import next_due_date
from leaseup_dagster.invoicing.rules.skip_reasons import SkipReason, in_words
from leaseup_dagster.money import format_rands
from leaseup_dagster.reminders.keys import LastText
from leaseup_dagster.reminders.rules.policy import ReminderPolicy, due_step, is_finished

OPEN_STATUSES = ("PENDING", "OVERDUE", "PARTIALLY_PAID")
_COUNTS_AS_SENT = ("sending", "sent", "unknown")
_HORIZON_DAYS = 800

_OF_STATE = {
    "requesting": "its request has no answer yet. The next check_upcoming_invoices (07:00 SAST)"
    " searches for it at Paystack before anything else",
    "refused": "it was refused. Every check_upcoming_invoices (07:00 SAST) tries it again; put"
    " right what the error names",
    "cancelling": "its cancellation was interrupted. Launch cancel_invoice again to finish it",
}


def steps(
    facts: Facts,
    eligibilities: list[Eligibility],
    as_of: date,
    days_ahead: int,
    policy: ReminderPolicy,
) -> list[str]:
    """One sentence for each thing that is to come; never empty."""
    said = [_billing(facts, eligibility, days_ahead) for eligibility in eligibilities]
    said += [
        f"{month.due_date}: {_OF_STATE[month.state]}."
        for month in facts.months
        if month.state in _OF_STATE
    ]
    said += _deleted(facts, {eligibility.key.due_date for eligibility in eligibilities})
    said += _reminders(facts, as_of, policy)
    return said or ["Nothing: LeaseUp has no such lease any more, and the ledger nothing open."]


def _billing(facts: Facts, eligibility: Eligibility, days_ahead: int) -> str:
    day, reason = eligibility.key.due_date, eligibility.reason
    if reason is None:
        amount = format_rands(eligibility.amount_cents or 0)
        return f"{day}: the next check_upcoming_invoices (every day at 07:00 SAST) bills {amount}."
    if reason == SkipReason.NOT_YET_DUE:
        first = day - timedelta(days=days_ahead)
        return (
            f"{day}: billed on {first} at 07:00 SAST, TASK_CHECK_DAYS_AHEAD ({days_ahead}) before."
        )
    if reason == SkipReason.ALREADY_INVOICED:
        return f"{day}: invoiced. {_month_after(facts.lease, day, days_ahead)}"
    if reason == SkipReason.BILLED_ANOTHER_AMOUNT:
        said = in_words(reason, eligibility.note)
        return f"{day}: invoiced. {said} {_month_after(facts.lease, day, days_ahead)}"
    return f"{day}: not billed. {in_words(reason, eligibility.note)}"


def _month_after(lease: Any, day: date, days_ahead: int) -> str:
    following = next_due_date(lease.start_date, day + timedelta(days=1))
    if lease.end_date is not None and following > lease.end_date:
        return f"The lease ends on {lease.end_date}, before the next due date."
    # A plan examines one due date of a lease: the first one that has not passed.
    first = max(day + timedelta(days=1), following - timedelta(days=days_ahead))
    return f"The next due date is {following}, billed on {first} at 07:00 SAST if nothing changes."


def _deleted(facts: Facts, said: set[date]) -> list[str]:
    """Months that were billed, and whose invoice is gone."""
    there = {invoice.id for invoice in facts.invoices}
    return [
        f"{month.due_date}: {SkipReason.INVOICE_DELETED.meaning}"
        for month in facts.months
        if month.state == "invoiced"
        and month.invoice_id not in there
        and month.due_date not in said
    ]


def _reminders(facts: Facts, as_of: date, policy: ReminderPolicy) -> list[str]:
    """When each tenant reads of each open invoice, as the policy has it today."""
    said = []
    for invoice in facts.invoices:
        open_ = invoice.status in OPEN_STATUSES and invoice.due_date is not None
        if not open_ or invoice.paid_cents >= (invoice.amount_cents or 0):
            continue
        for tenant_id in _recipients(facts, invoice.tenant_id):
            last = _last_text(facts, invoice.id, tenant_id)
            said.append(
                f"Invoice {invoice.id}: tenant {tenant_id}"
                f" {_next_text(policy, invoice.due_date, last, as_of)}"
            )
    return said


def _recipients(facts: Facts, debtor: str) -> list[str]:
    """Those who share the lease with whom it was billed to; nobody who came after."""
    tenants = [tenant.id for tenant in facts.tenants]
    return tenants if debtor in tenants else [debtor]


def _next_text(policy: ReminderPolicy, due_date: date, last: LastText | None, as_of: date) -> str:
    if is_finished(policy, last):
        return "has had the last reminder."
    for days in range(_HORIZON_DAYS):
        day = as_of + timedelta(days=days)
        step = due_step(policy, due_date, last, day)
        if step is not None:
            return f"is texted on {day} at 09:00 SAST (reminder {step}), unless it is paid by then."
    return "is texted no more."


def _last_text(facts: Facts, invoice_id: str, tenant_id: str) -> LastText | None:
    sent = [
        row
        for row in facts.reminders
        if (row.invoice_id, row.tenant_id) == (invoice_id, tenant_id)
        and row.state in _COUNTS_AS_SENT
    ]
    if not sent:
        return None
    return LastText(max(row.step for row in sent), max(row.as_of for row in sent))
