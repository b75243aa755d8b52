"""SQL: what Paystack received is written down in LeaseUp, once, and its invoice says PAID.

Used by whoever asks Paystack how an invoice stands: the reminders, the reconciliation and a
cancellation. `receipts` decides; what only a person can decide is kept in `payment_question`.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Text, cast, func, insert, select, update

from leaseup_dagster.database.leaseup import invoice, transaction, utc_now
from leaseup_dagster.invoicing.payments import amounts, questions, receipts
from leaseup_dagster.invoicing.payments.receipts import OPEN, Payment, Question, Recorded
from leaseup_dagster.money import rands_from_cents
from leaseup_dagster.paystack.models import PaymentRequest


@dataclass(frozen=True)
class Settled:
    """How an invoice stood, and what was made of it.

    `written_cents` is what was written down; `question` is what a person must decide about its
    money, and `reported` whether that was reported before.
    """

    was_open: bool
    paid: bool
    written_cents: int = 0
    question: Question | None = None
    reported: bool = False


def settle(engine: Engine, invoice_id: str, request: PaymentRequest) -> Settled:
    """Write down what Paystack received on `request` and LeaseUp has not, and PAID if that settles
    the invoice, in one transaction. `request` was fetched.

    Whatever somebody else writes at the same moment is waited for, and counted.
    """
    with engine.begin() as connection:
        found = _locked(connection, invoice_id)
        if found is None:  # deleted, and what was asked about it with it
            questions.keep(connection, invoice_id, request.request_code, None)
            return Settled(was_open=False, paid=False)
        compared = receipts.compare(
            request,
            found.status,
            int(found.cents) if found.cents is not None and found.cents.is_finite() else None,
            recorded_on(connection, [invoice_id]).get(invoice_id, []),
            questions.decided(connection, invoice_id, request.request_code),
        )
        for payment in compared.missing:
            record(connection, invoice_id, payment)
        was_open = found.status in OPEN
        if was_open and compared.settled:
            mark_paid(connection, invoice_id)
        reported = questions.keep(connection, invoice_id, request.request_code, compared.question)
    return Settled(
        was_open=was_open,
        paid=found.status == "PAID" or (was_open and compared.settled),
        written_cents=sum(payment.amount_cents for payment in compared.missing),
        question=compared.question,
        reported=reported,
    )


def recorded_on(connection: Connection, invoice_ids: Iterable[str]) -> dict[str, list[Recorded]]:
    """What LeaseUp has recorded as paid on each of the invoices. One statement."""
    rows = connection.execute(
        select(
            transaction.c.id,
            transaction.c.invoiceId,
            func.coalesce(transaction.c.referenceId, "").label("reference"),
            amounts.in_cents(transaction.c.amountPaid).label("cents"),
            (cast(transaction.c.method, Text) == "PAYSTACK").label("by_us"),
        )
        .where(transaction.c.invoiceId.in_(list(invoice_ids)))
        .order_by(transaction.c.createdAt, transaction.c.id)
    )
    found: dict[str, list[Recorded]] = {}
    for row in rows:
        if row.cents.is_finite():
            recorded = Recorded(row.id, row.reference, int(row.cents), row.by_us is True)
            found.setdefault(row.invoiceId, []).append(recorded)
    return found


def lock_if_open(connection: Connection, invoice_id: str) -> bool:
    """Whether it is still to be paid; if so nobody changes it until this transaction ends."""
    found = select(invoice.c.id).where(invoice.c.id == invoice_id, invoice.c.status.in_(OPEN))
    return connection.execute(found.with_for_update(key_share=True)).first() is not None


def mark_paid_in_part_by_mistake(connection: Connection) -> int:
    """PARTIALLY_PAID becomes PAID where the recorded payments, each counted once, cover it.

    LeaseUp's webhook compares cents with rands, and leaves what is paid in full like that.
    """
    part = invoice.c.status == "PARTIALLY_PAID"
    some = select(invoice).where(part).cte("some")
    paid = amounts.received(some, by=(some.c.id,))
    covered = (
        select(some.c.id)
        .join(paid, paid.c.id == some.c.id)
        .where(
            # A NaN is larger than any number here.
            some.c.dueAmount <= 1e9,
            paid.c.cents <= 1e11,
            paid.c.cents >= amounts.in_cents(some.c.dueAmount),
        )
    )
    marked = connection.execute(
        update(invoice)
        .where(part, invoice.c.id.in_(covered))
        .values(status="PAID", updatedAt=utc_now)
    )
    return int(marked.rowcount)


def _locked(connection: Connection, invoice_id: str) -> Any:
    """The invoice's status and amount in cents; None if it is gone. Its row is locked against a
    payment too: the webhook's insert waits for us, and we for it."""
    return connection.execute(
        select(invoice.c.status, amounts.in_cents(invoice.c.dueAmount).label("cents"))
        .where(invoice.c.id == invoice_id)
        .with_for_update()
    ).first()


def record(connection: Connection, invoice_id: str, payment: Payment) -> None:
    """One payment as a row of `transaction`, dated as Paystack dates it."""
    of_invoice = select(invoice.c.leaseId).where(invoice.c.id == invoice_id).scalar_subquery()
    paid_at = {"createdAt": func.timezone("UTC", payment.paid_at)} if payment.paid_at else {}
    connection.execute(
        insert(transaction).values(
            id=str(uuid.uuid4()),
            leaseId=of_invoice,
            invoiceId=invoice_id,
            description="Payment via Paystack",
            amountPaid=rands_from_cents(payment.amount_cents),
            referenceId=payment.reference,
            method="PAYSTACK",
            updatedAt=utc_now,
            **paid_at,
        )
    )


def mark_paid(connection: Connection, invoice_id: str) -> bool:
    """Whether there was such an invoice. Lock it first."""
    marked = connection.execute(
        update(invoice).where(invoice.c.id == invoice_id).values(status="PAID", updatedAt=utc_now)
    )
    return bool(marked.rowcount)
