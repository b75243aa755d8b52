"""SQL: payments found at Paystack, recorded once. Each function is one statement.

Used by whoever asks Paystack how an invoice stands: the reminders, and the reconciliation.
"""

import uuid
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, exists, insert, literal, select, update

from leaseup_dagster.database.leaseup import invoice, transaction, utc_now
from leaseup_dagster.money import rands_from_cents
from leaseup_dagster.paystack.models import PaymentRequest

OPEN = ("PENDING", "OVERDUE", "PARTIALLY_PAID")
"""Statuses in which an invoice is still to be paid: never drafts, cancelled or paid ones."""


@dataclass(frozen=True)
class Payment:
    """A payment as Paystack knows it. The reference is Paystack's own."""

    reference: str
    amount_cents: int


def payments_on(request: PaymentRequest) -> list[Payment]:
    """The payments made on a payment request that was fetched: a list has none of them."""
    found = [
        Payment(transaction.reference, transaction.amount_cents)
        for transaction in request.transactions
        if transaction.status == "success" and transaction.reference and transaction.amount_cents
    ]
    if request.paid and not found:
        # Marked as paid on the dashboard: there is no transaction, so the request stands for it.
        return [Payment(request.request_code, request.amount_paid_cents or request.amount_cents)]
    return found


def record_all(engine: Engine, invoice_id: str, request: PaymentRequest) -> bool:
    """The request's payments, and PAID if it is paid, in one transaction; each payment once.

    False if the invoice is not to be paid any more: nothing was written.
    """
    with engine.begin() as connection:
        if not lock_if_open(connection, invoice_id):
            return False
        for payment in payments_on(request):
            record(connection, invoice_id, payment)
        if request.paid:
            mark_paid(connection, invoice_id)
    return True


def lock_if_open(connection: Connection, invoice_id: str) -> bool:
    """Whether it is still to be paid; if so nobody changes it until this transaction ends."""
    found = select(invoice.c.id).where(invoice.c.id == invoice_id, invoice.c.status.in_(OPEN))
    return connection.execute(found.with_for_update(key_share=True)).first() is not None


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
        ~exists(transaction.c.id).where(transaction.c.referenceId == payment.reference),
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
