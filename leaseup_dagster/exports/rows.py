"""SQL: what each file lists, a row at a time. The columns are documented in docs/bookkeeping.md."""

from datetime import date, timedelta
from typing import Any

from sqlalchemy import Select, Text, and_, case, cast, func, literal, select

from leaseup_dagster.arrears.owed import end_of, open_invoices
from leaseup_dagster.database.leaseup import in_johannesburg, invoice, lease, transaction
from leaseup_dagster.invoicing.payments import amounts
from leaseup_dagster.invoicing.payments.receipts import OPEN

ARREARS = (
    "invoice", "lease", "landlord", "tenant", "due date", "days overdue", "age", "amount", "paid",
    "due", "currency", "status", "payment request",
)  # fmt: skip
INVOICES = (
    "invoice", "lease", "landlord", "tenant", "category", "status", "due date", "created at",
    "amount", "paid", "due", "currency", "payment request", "offline reference",
)  # fmt: skip
PAYMENTS = (
    "payment", "invoice", "lease", "landlord", "tenant", "paid at", "amount", "counted", "currency",
    "method", "reference",
)  # fmt: skip
MONEY = frozenset({"amount", "paid", "due", "counted"})
"""Columns that hold cents, and are written as rands."""


def arrears_rows(as_of: date, landlord: str) -> Select[Any]:
    """What is owed at the end of the day, oldest first."""
    due = open_invoices(as_of)
    asked = select(
        due.c.id.label("invoice"), due.c.leaseId.label("lease"),
        due.c.landlordId.label("landlord"), due.c.tenantId.label("tenant"),
        due.c.dueDate.label("due date"), due.c.days_overdue.label("days overdue"),
        due.c.age, due.c.amount_cents.label("amount"), due.c.paid_cents.label("paid"),
        due.c.due_cents.label("due"), _currency(due.c.leaseId), cast(due.c.status, Text),
        due.c.paystackId.label("payment request"),
        ).where(due.c.due_cents > 0).order_by(due.c.dueDate, due.c.id)  # fmt: skip
    return asked.where(due.c.landlordId == landlord) if landlord else asked


def invoice_rows(first: date, last: date, landlord: str) -> Select[Any]:
    """Every invoice made from the first to the last day, whatever became of it."""
    some = select(invoice).where(*_between(invoice.c.createdAt, first, last))
    made = (some.where(invoice.c.landlordId == landlord) if landlord else some).cte("made")
    paid = amounts.received(made, by=(made.c.id,))
    amount, received = amounts.in_cents(made.c.dueAmount), func.coalesce(paid.c.cents, 0)
    still = cast(made.c.status, Text).in_(OPEN)
    return (
        select(
            made.c.id.label("invoice"), made.c.leaseId.label("lease"),
            made.c.landlordId.label("landlord"), made.c.tenantId.label("tenant"),
            cast(made.c.category, Text).label("category"), cast(made.c.status, Text),
            made.c.dueDate.label("due date"), _at(made.c.createdAt).label("created at"),
            amount.label("amount"), received.label("paid"),
            case((still, func.greatest(0, amount - received)), else_=0).label("due"),
            _currency(made.c.leaseId), made.c.paystackId.label("payment request"),
            made.c.offlineReference.label("offline reference"),
        )
        .outerjoin(paid, paid.c.id == made.c.id)
        .order_by(made.c.createdAt, made.c.id)
    )  # fmt: skip


def payment_rows(first: date, last: date, landlord: str) -> Select[Any]:
    """Every payment made from the first to the last day, as often as it was written down.

    `counted` is what each row adds to the sum: of two rows that are one payment, the second adds
    nothing. It is what `amounts.received` counts.
    """
    within = _between(transaction.c.createdAt, first, last)
    touched = select(transaction.c.invoiceId).where(*within)
    some = select(invoice).where(invoice.c.id.in_(touched)).cte("some")
    kind, identity = amounts.distinguished(some)
    cents = amounts.in_cents(transaction.c.amountPaid)
    again = func.row_number().over(
        partition_by=(some.c.id, kind, identity, cents),
        order_by=(transaction.c.createdAt, transaction.c.id),
    )
    row = (
        select(
            transaction, some.c.landlordId, some.c.tenantId, some.c.leaseId.label("of_lease"),
            kind.label("kind"), cents.label("cents"), (again == 1).label("first"),
        )
        .join_from(transaction, some, some.c.id == transaction.c.invoiceId)
        .subquery("row")
    )  # fmt: skip

    def number(of: str) -> Any:
        once = func.count().filter(row.c.kind == of, row.c.first)
        return once.over(partition_by=(row.c.invoiceId, row.c.cents))

    by_us = number("paystack") >= number("webhook")
    counts = case((row.c.kind == "paystack", by_us), (row.c.kind == "webhook", ~by_us), else_=True)
    asked = (
        select(
            row, case((and_(row.c.first, counts), row.c.cents), else_=0).label("counted_cents")
        ).subquery("asked")
    )  # fmt: skip
    listed = select(
        asked.c.id.label("payment"), asked.c.invoiceId.label("invoice"),
        asked.c.of_lease.label("lease"), asked.c.landlordId.label("landlord"),
        asked.c.tenantId.label("tenant"), _at(asked.c.createdAt).label("paid at"),
        asked.c.cents.label("amount"), asked.c.counted_cents.label("counted"),
        _currency(asked.c.of_lease), cast(asked.c.method, Text).label("method"),
        asked.c.referenceId.label("reference"),
    ).order_by(asked.c.createdAt, asked.c.id)  # fmt: skip
    listed = listed.where(*_between(asked.c.createdAt, first, last))
    return listed.where(asked.c.landlordId == landlord) if landlord else listed


def _between(at: Any, first: date, last: date) -> tuple[Any, Any]:
    return at >= end_of(first - timedelta(days=1)), at < end_of(last)


def _at(at: Any) -> Any:
    """In Johannesburg, which is two hours ahead of UTC all year."""
    return func.to_char(in_johannesburg(at), 'YYYY-MM-DD"T"HH24:MI:SS"+02:00"')


def _currency(lease_id: Any) -> Any:
    """Only rand is billed; what a lease says is shown as it is."""
    of = select(func.upper(func.btrim(lease.c.rentDueCurrency))).where(lease.c.id == lease_id)
    return func.coalesce(of.scalar_subquery(), literal("ZAR")).label("currency")
