"""SQL: which month a person means when asking for one lease's invoice, or what is wrong with it."""

from datetime import date

from sqlalchemy import Connection, select

from leaseup_dagster.database.leaseup import lease
from leaseup_dagster.invoicing.keys import InvoicePlan, LedgerKey
from leaseup_dagster.invoicing.rules.due_dates import is_due_date, next_due_date
from leaseup_dagster.invoicing.rules.skip_reasons import SkipReason, in_words


def month_asked_for(
    connection: Connection, lease_id: str, due_date: str, as_of: date
) -> LedgerKey | str:
    """The month, or a message that says what is wrong and what to write instead."""
    start = connection.execute(
        select(lease.c.startDate).where(lease.c.id == lease_id)
    ).scalar_one_or_none()
    if start is None:
        return f"There is no lease {lease_id!r} in LeaseUp. Copy the id from the lease's page."
    if not due_date:
        return LedgerKey(next_due_date(start, as_of), lease_id)
    day = date.fromisoformat(due_date)
    if not is_due_date(start, day):
        return (
            f"{day} is not a due date of lease {lease_id}, which started on {start}: rent falls due"
            f" next on {next_due_date(start, day)}. Leave due_date empty for the next one from"
            f" as_of on, {next_due_date(start, as_of)}."
        )
    return LedgerKey(day, lease_id)


_BILLED = (
    SkipReason.ALREADY_INVOICED,
    SkipReason.BILLED_ANOTHER_AMOUNT,
    SkipReason.IN_PROGRESS,
)


def why_not(plan: InvoicePlan) -> str | None:
    """Why the month a person asked for cannot be billed; None if it can, or already is."""
    for skipped in plan.skipped:
        if skipped.reason not in _BILLED:
            note = skipped.notes[0] if skipped.notes else None
            return f"The lease was not billed: {in_words(skipped.reason, note)}"
    return None
