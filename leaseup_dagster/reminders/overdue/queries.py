"""SQL: which invoices are overdue, what is still due on them, and who is to be reminded.

Set-based: LeaseUp has no index on any foreign key. Amounts become whole cents here, half up.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Text,
    cast,
    func,
    select,
    union,
    update,
)

from leaseup_dagster.database.leaseup import (
    invoice,
    landlord,
    lease,
    property_,
    tenant,
    tenant_lease,
    unit,
    utc_now,
)
from leaseup_dagster.database.ledgers import reminder_ledger as ledger
from leaseup_dagster.database.url import ALLOW_LONG
from leaseup_dagster.invoicing.payments import amounts
from leaseup_dagster.invoicing.payments.receipts import OPEN
from leaseup_dagster.reminders.keys import LastText, OverdueInvoice
from leaseup_dagster.reminders.rules.recipients import Reminder
from leaseup_dagster.reminders.rules.refusals import Refusal

COUNTS_AS_SENT = ("sending", "sent", "unknown")


def mark_overdue(connection: Connection, as_of: date) -> int:
    """PENDING and past its due date becomes OVERDUE, unless recorded payments cover it."""
    connection.execute(ALLOW_LONG)
    due = _due(invoice.c.dueDate < as_of, invoice.c.status == "PENDING")
    marked = connection.execute(
        update(invoice)
        # The status again: one that was paid while we checked stays PAID.
        .where(invoice.c.id == due.c.id, invoice.c.status == "PENDING")
        .values(status="OVERDUE", updatedAt=utc_now)
    )
    return int(marked.rowcount)


def overdue_invoices(
    connection: Connection, as_of: date, after_days: int
) -> Iterator[OverdueInvoice]:
    """Every invoice more than `after_days` overdue with something due, for each of its tenants.

    Earliest due date first. Streamed: a portfolio need not fit into memory.
    """
    connection.execute(ALLOW_LONG)
    due = _due(*_late(as_of, after_days))
    recipient, last = _recipients(due), _last_texts()
    rows = connection.execution_options(yield_per=5000).execute(
        select(
            due.c.id,
            recipient.c.tenant_id,
            due.c.dueDate,
            due.c.leaseId,
            due.c.landlordId,
            due.c.cents,
            last.c.step,
            last.c.day,
        )
        .join(recipient, recipient.c.invoice_id == due.c.id)
        .outerjoin(last, _same_reader(last, recipient))
        .order_by(due.c.dueDate, due.c.id)
    )
    for row in rows:
        yield OverdueInvoice(
            row.id,
            row.tenant_id,
            row.dueDate,
            _last(row),
            row.leaseId or "",
            row.landlordId,
            int(row.cents) if row.cents.is_finite() else None,
        )


def reminders(
    connection: Connection, invoice_ids: Sequence[str], as_of: date, after_days: int
) -> list[Reminder]:
    """Those of `invoice_ids` that are late now, for each tenant, with what a text needs."""
    due = _due(invoice.c.id.in_(invoice_ids), *_late(as_of, after_days))
    recipient, last = _recipients(due), _last_texts()
    refused = (
        select(
            func.array_agg(
                func.concat_ws(
                    "|", ledger.c.number_hash, ledger.c.as_of, func.coalesce(ledger.c.code, "")
                )
            )
        )
        # An unlisted refusal may have meant the account: only a listed one is about the number.
        .where(
            ledger.c.tenant_id == tenant.c.id,
            ledger.c.state == "refused",
            ledger.c.outcome != "unlisted",
        )
        .scalar_subquery()
    )
    rows = connection.execute(
        select(
            due,
            tenant.c.id.label("tenant_id"),
            tenant.c.firstName,
            tenant.c.phone,
            func.coalesce(func.nullif(landlord.c.businessName, ""), landlord.c.name).label("from_"),
            unit.c.name.label("unit"),
            property_.c.name.label("property"),
            last.c.step,
            last.c.day,
            refused.label("refused"),
        )
        .join(recipient, recipient.c.invoice_id == due.c.id)
        .join(tenant, tenant.c.id == recipient.c.tenant_id)
        .outerjoin(landlord, landlord.c.id == due.c.landlordId)
        .outerjoin(lease, lease.c.id == due.c.leaseId)
        .outerjoin(unit, unit.c.id == lease.c.unitId)
        .outerjoin(property_, property_.c.id == unit.c.propertyId)
        .outerjoin(last, _same_reader(last, recipient))
        .order_by(due.c.dueDate, due.c.id, tenant.c.createdAt, tenant.c.id)
    )
    return [_reminder(row) for row in rows]


def cents_still_due(connection: Connection, invoice_ids: Sequence[str]) -> dict[str, int]:
    """What is due on each of `invoice_ids` that is still open; those with nothing due are left
    out."""
    due = _due(invoice.c.id.in_(invoice_ids), invoice.c.status.in_(OPEN))
    rows = connection.execute(select(due.c.id, due.c.cents))
    return {id_: int(cents) for id_, cents in rows if cents.is_finite()}


def paid_among(connection: Connection, invoice_ids: Sequence[str]) -> list[str]:
    """Those of `invoice_ids` that are PAID now."""
    found = select(invoice.c.id).where(invoice.c.id.in_(invoice_ids), invoice.c.status == "PAID")
    return list(connection.execute(found.order_by(invoice.c.id)).scalars())


def _late(as_of: date, after_days: int) -> list[ColumnElement[bool]]:
    return [
        invoice.c.status.in_(OPEN),
        invoice.c.dueDate < as_of - timedelta(days=after_days),
        ~_after_the_lease(),
    ]


def _after_the_lease() -> ColumnElement[bool]:
    """Rent for a day after its lease is over is for a person to give back, and for no tenant."""
    over = select(lease.c.id).where(
        lease.c.id == invoice.c.leaseId, lease.c.endDate < invoice.c.dueDate
    )
    return (cast(invoice.c.category, Text) == "RENT") & over.exists()


def _due(*chosen: ColumnElement[bool]) -> CTE:
    """The chosen invoices with something due, and how much, in cents."""
    return amounts.due(select(invoice).where(*chosen).cte("some"))


def _recipients(due: CTE) -> CTE:
    """The invoice's own tenant, and those who share the lease with that tenant.

    Once the lease was passed on, the debt stays with whom it was billed to: who came after hears
    nothing of it.
    """
    theirs, other = tenant_lease.alias("theirs"), tenant_lease.alias("other")
    shared = (
        select(due.c.id, other.c.tenantId)
        .join(
            theirs,
            (theirs.c.leaseId == due.c.leaseId) & (theirs.c.tenantId == due.c.tenantId),
        )
        .join(other, other.c.leaseId == due.c.leaseId)
    )
    own = select(due.c.id.label("invoice_id"), due.c.tenantId.label("tenant_id"))
    return union(own, shared).cte("recipient")


def _last_texts() -> CTE:
    return (
        select(
            ledger.c.invoice_id,
            ledger.c.tenant_id,
            func.max(ledger.c.step).label("step"),
            func.max(ledger.c.as_of).label("day"),
        )
        .where(ledger.c.state.in_(COUNTS_AS_SENT))
        .group_by(ledger.c.invoice_id, ledger.c.tenant_id)
        .cte("last")
    )


def _same_reader(last: CTE, recipient: CTE) -> ColumnElement[bool]:
    return (last.c.invoice_id == recipient.c.invoice_id) & (
        last.c.tenant_id == recipient.c.tenant_id
    )


def _last(row: Any) -> LastText | None:
    return LastText(row.step, row.day) if row.step is not None else None


def _reminder(row: Any) -> Reminder:
    cents: Decimal = row.cents
    code = (row.paystackId or "").strip()
    return Reminder(
        invoice_id=row.id,
        due_date=row.dueDate,
        due_cents=int(cents) if cents.is_finite() else None,
        category=row.category,
        request_code=code,
        link=row.paymentRequestUrl or (code and f"https://paystack.shop/pay/{code}"),
        landlord_id=row.landlordId,
        landlord=row.from_ or "",
        unit=row.unit or "",
        property=row.property or "",
        tenant_id=row.tenant_id,
        first_name=row.firstName,
        phone=row.phone,
        last=_last(row),
        refusals=tuple(map(_refusal, row.refused or ())),
    )


def _refusal(listed: str) -> Refusal:
    number_hash, day, code = listed.split("|", 2)
    return Refusal(number_hash, code, date.fromisoformat(day))
