"""SQL: what was owed on each invoice at the end of a day in Johannesburg. Set-based, one pass.

A debt as of a past day is what was billed by then, less what was received by then. LeaseUp does not
keep when a status changed: what is PAID today was owed then as far as money came in after it, and
what is CANCELLED or a DRAFT today never counts.
"""

from datetime import date, datetime, timedelta, timezone
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    select,
    true,
)

from leaseup_dagster.arrears.ageing import UPPER_DAYS, Age
from leaseup_dagster.as_of import midnight
from leaseup_dagster.database.leaseup import invoice, transaction
from leaseup_dagster.invoicing.payments import amounts
from leaseup_dagster.invoicing.payments.receipts import OPEN

COUNTS = (*OPEN, "PAID")
"""Statuses of an invoice that was really billed."""


def end_of(day: date) -> datetime:
    """The instant at which a day in Johannesburg is over, as LeaseUp's timestamps: UTC, no zone."""
    return midnight(day + timedelta(days=1)).astimezone(timezone.utc).replace(tzinfo=None)


# No NaN, which is larger than any number, and no infinity.
_AMOUNT = invoice.c.dueAmount.between(0, 1e9)
_PAYMENT = transaction.c.amountPaid.between(-1e9, 1e9)


def _billed_by(as_of: date) -> ColumnElement[bool]:
    """An invoice that counted at the end of the day."""
    return and_(cast(invoice.c.status, Text).in_(COUNTS), invoice.c.createdAt < end_of(as_of))


def unreadable(as_of: date) -> Select[Any]:
    """How many invoices and payments of the day have an amount that is none."""
    invoices = select(func.count()).where(_billed_by(as_of), _AMOUNT.is_not(true()))
    payments = (
        select(func.count())
        .join_from(transaction, invoice, invoice.c.id == transaction.c.invoiceId)
        .where(cast(invoice.c.status, Text).in_(COUNTS), _PAYMENT.is_not(true()))
        .where(transaction.c.createdAt < end_of(as_of))
    )
    return select(invoices.scalar_subquery() + payments.scalar_subquery())


_NEEDED = (
    invoice.c.id, invoice.c.leaseId, invoice.c.tenantId, invoice.c.landlordId, invoice.c.dueAmount,
    invoice.c.status, invoice.c.dueDate, invoice.c.paystackId, invoice.c.offlineReference,
)  # fmt: skip


def open_invoices(as_of: date) -> CTE:
    """Every invoice that counted: its ids, dates and status, `amount_cents`, `paid_cents`,
    `due_cents` (never less than 0), `days_overdue` and `age`."""
    # Whole cents once, and as integers: numerics would be most of the work.
    cents = cast(amounts.in_cents(invoice.c.dueAmount), BigInteger).label("amount_cents")
    some = select(*_NEEDED, cents).where(_billed_by(as_of), _AMOUNT).cte("billed")
    by, at, end = (some.c.id,), transaction.c.createdAt, end_of(as_of)
    # A payment that is no amount is left out, those beside it stay.
    paid = amounts.received(some, _PAYMENT, at < end, by=by, name="paid")
    later = amounts.received(some, _PAYMENT, at >= end, by=by, name="later")
    amount = some.c.amount_cents
    # Together never less than nothing.
    received = case((paid.c.cents.between(0, 1e13), cast(paid.c.cents, BigInteger)), else_=0)
    due = case(
        (
            cast(some.c.status, Text) == "PAID",
            func.least(amount - received, cast(func.coalesce(later.c.cents, 0), BigInteger)),
        ),
        else_=amount - received,
    )
    days = literal(as_of) - func.coalesce(some.c.dueDate, literal(as_of))
    return (
        select(
            some,
            received.label("paid_cents"),
            func.greatest(0, due).label("due_cents"),
            days.label("days_overdue"),
            _age(days).label("age"),
        )
        .outerjoin(paid, paid.c.id == some.c.id)
        .outerjoin(later, later.c.id == some.c.id)
        .cte("open_invoice")
    )


def _age(days: Any) -> ColumnElement[str]:
    """What `ageing.age_of` says."""
    whens = [(days <= most, literal(age.value)) for age, most in UPPER_DAYS.items()]
    return case(*whens, else_=literal(Age.OVER_90.value))
