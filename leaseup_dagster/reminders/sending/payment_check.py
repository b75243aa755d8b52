"""Ask Paystack how an invoice stands, before anybody is reminded that it is unpaid.

No SQL and no HTTP in here, only their order. What Paystack knows and LeaseUp does not is recorded:
the payments and PAID in one transaction, each payment once.
"""

from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from leaseup_dagster.invoicing.payments import records
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.paystack.errors import KeyRejected, NotFound, NotSent, PaystackError
from leaseup_dagster.paystack.models import PaymentRequest
from leaseup_dagster.reminders.keys import Kind
from leaseup_dagster.reminders.rules.recipients import Part

_MEANS = (
    (NotFound, Kind.REQUEST_GONE),
    (KeyRejected, Kind.ACCOUNT),
    (NotSent, Kind.LEFT),
    (PaystackError, Kind.UNREACHABLE),
)


@dataclass(frozen=True)
class PaymentStatus:
    """`kind` is why the invoice's tenants are not texted; None: it is unpaid, text them."""

    invoice_id: str
    kind: Kind | None = None
    why: str = ""
    # What the page that the text links to asks for; None: there is none, or it does not say.
    payable_cents: int | None = None


def ask(part: Part, engine: Engine, paystack: PaystackClient) -> PaymentStatus:
    """How the invoice stands at Paystack. Never raises: one bad row stops no other."""
    if not part.request_code:
        return PaymentStatus(part.invoice_id)
    try:
        return _recorded(part.invoice_id, _fetched(part.request_code, paystack), engine)
    except DBAPIError as error:  # its message may quote a row
        return PaymentStatus(part.invoice_id, Kind.BROKEN, type(error.orig).__name__)
    except PaystackError as error:
        kind = next(kind for known, kind in _MEANS if isinstance(error, known))
        return PaymentStatus(part.invoice_id, kind, str(error))


def _fetched(code: str, paystack: PaystackClient) -> PaymentRequest:
    """One request for one that is unpaid; its payments are only fetched when there are any."""
    try:
        request = paystack.verify_payment_request(code)
    except NotFound:  # perhaps archived, and perhaps paid before that
        return paystack.fetch_payment_request(code)
    return paystack.fetch_payment_request(code) if request.has_payments else request


def _recorded(invoice_id: str, request: PaymentRequest, engine: Engine) -> PaymentStatus:
    if request.has_payments or request.transactions:
        settled = records.settle(engine, invoice_id, request)
        if not settled.was_open:
            return PaymentStatus(invoice_id, Kind.NO_LONGER_LATE)
        if settled.paid:
            return PaymentStatus(invoice_id, Kind.PAID)
    if request.paid:
        return PaymentStatus(invoice_id, Kind.REQUEST_GONE, "paid at Paystack, and given back")
    if request.archived:
        return PaymentStatus(invoice_id, Kind.REQUEST_GONE, "archived at Paystack")
    pending = request.pending_amount_cents
    return PaymentStatus(
        invoice_id, payable_cents=request.amount_cents if pending is None else pending
    )
