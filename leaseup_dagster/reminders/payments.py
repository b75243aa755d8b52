"""SQL: payments found at Paystack, recorded once. Each function is one statement."""

import uuid
from dataclasses import dataclass

from sqlalchemy import Connection, exists, insert, literal, select, update

from leaseup_dagster.database.leaseup import invoice, transaction, utc_now
from leaseup_dagster.money import rands_from_cents
from leaseup_dagster.reminders.overdue import OPEN


@dataclass(frozen=True)
class Payment:
    """A payment as Paystack knows it. The reference is Paystack's own."""

    reference: str
    amount_cents: int


def record(connection: Connection, invoice_id: str, payment: Payment) -> None:
    """One payment of an invoice, unless its reference is recorded. Lock the invoice first."""
    values = select(
        literal(str(uuid.uuid4())),
        invoice.c.leaseId,
        invoice.c.id,
        literal("Payment via Paystack"),
        literal(rands_from_cents(payment.amount_cents)),
        literal(payment.reference),
        literal("PAYSTACK", type_=transaction.c.method.type),
        utc_now,
    ).where(
        invoice.c.id == invoice_id,
        ~exists().where(transaction.c.referenceId == payment.reference),
    )
    columns = (
        "id", "leaseId", "invoiceId", "description", "amountPaid", "referenceId", "method",
        "updatedAt",
    )  # fmt: skip
    connection.execute(insert(transaction).from_select(columns, values))


def mark_paid(connection: Connection, invoice_id: str) -> bool:
    """PAID, unless somebody cancelled it or marked it PAID meanwhile."""
    marked = connection.execute(
        update(invoice)
        .where(invoice.c.id == invoice_id, invoice.c.status.in_(OPEN))
        .values(status="PAID", updatedAt=utc_now)
    )
    return bool(marked.rowcount)
