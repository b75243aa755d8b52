"""Ask Paystack how an invoice stands, before anybody is told that it is unpaid.

No SQL and no HTTP in here, only their order. What Paystack knows and LeaseUp does not is recorded:
the payments and PAID in one transaction, each payment once.
"""

from dataclasses import dataclass

from sqlalchemy import Engine

from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.paystack.errors import NotFound, NotSent, PaystackError
from leaseup_dagster.paystack.models import PaymentRequest
from leaseup_dagster.reminders import overdue, payments
from leaseup_dagster.reminders.keys import Kind
from leaseup_dagster.reminders.payments import Payment
from leaseup_dagster.reminders.recipients import Chase


@dataclass(frozen=True)
class Standing:
    """`kind` is why the invoice's tenants are not texted; None: it is unpaid, text them."""

    invoice_id: str
    kind: Kind | None = None
    why: str = ""


def ask(chase: Chase, engine: Engine, paystack: PaystackClient) -> Standing:
    """How the invoice stands at Paystack. Never raises for anything Paystack does."""
    if not chase.request_code:
        return Standing(chase.invoice_id)
    try:
        request = _fetched(chase.request_code, paystack)
    except NotFound as error:
        return Standing(chase.invoice_id, Kind.REQUEST_GONE, str(error))
    except NotSent as error:
        return Standing(chase.invoice_id, Kind.LEFT, error.message)
    except PaystackError as error:
        return Standing(chase.invoice_id, Kind.UNREACHABLE, str(error))
    return _recorded(chase.invoice_id, request, engine)


def _fetched(code: str, paystack: PaystackClient) -> PaymentRequest:
    """One request for one that is unpaid; its payments are only fetched when there are any."""
    try:
        request = paystack.verify_payment_request(code)
    except NotFound:  # perhaps archived, and perhaps paid before that
        return paystack.fetch_payment_request(code)
    return paystack.fetch_payment_request(code) if _has_payments(request) else request


def _has_payments(request: PaymentRequest) -> bool:
    pending = request.pending_amount_cents
    return (
        request.paid
        or bool(request.amount_paid_cents)
        or (pending is not None and pending < request.amount_cents)
    )


def _recorded(invoice_id: str, request: PaymentRequest, engine: Engine) -> Standing:
    found = [
        Payment(transaction.reference, transaction.amount_cents)
        for transaction in request.transactions
        if transaction.status == "success" and transaction.reference and transaction.amount_cents
    ]
    if request.paid and not found:
        # Marked as paid on the dashboard: there is no transaction, so the request stands for it.
        found = [Payment(request.request_code, request.amount_paid_cents or request.amount_cents)]
    if found:
        with engine.begin() as connection:
            if not overdue.lock_if_open(connection, invoice_id):
                return Standing(invoice_id, Kind.NO_LONGER_LATE)
            for payment in found:
                payments.record(connection, invoice_id, payment)
            if request.paid:
                payments.mark_paid(connection, invoice_id)
    if request.paid:
        return Standing(invoice_id, Kind.PAID)
    if request.archived:
        return Standing(invoice_id, Kind.REQUEST_GONE, "archived at Paystack")
    return Standing(invoice_id)
