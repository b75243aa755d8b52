"""The protocol that takes an invoice back. No SQL and no HTTP in here, only their order.

ask Paystack → claim, committed → archive → ask again → record. Archiving twice is archiving once,
so whoever finds a row `cancelling`, after a crash or a lost answer, simply goes through it again.
A payment wins at every step: it is recorded and reported, and the invoice stays.
"""

from dataclasses import dataclass, field
from enum import Enum

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from leaseup_dagster.database import complaints
from leaseup_dagster.database.recording import Recording
from leaseup_dagster.invoicing.ledger import cancelling
from leaseup_dagster.invoicing.ledger.cancelling import CancellationTarget
from leaseup_dagster.invoicing.payments import records
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.paystack.errors import (
    KeyRejected,
    NotFound,
    NotProcessed,
    NotSent,
    PaystackError,
    Refused,
)
from leaseup_dagster.paystack.models import PaymentRequest


class Kind(Enum):
    """What became of one invoice that was to be cancelled."""

    CANCELLED = "cancelled"
    ALREADY_CANCELLED = "already cancelled"
    PAID = "paid"
    REFUSED = "refused"
    UNANSWERED = "unanswered"  # perhaps archived: the next run of cancel_invoice asks first
    NOT_SENT = "not sent"  # certainly nothing of this attempt reached Paystack
    STOPPED = "stopped"  # the run was asked to stop, or its time is up
    KEY_REJECTED = "key rejected"  # no request works until the setting is right
    BROKEN = "broken"  # our own side failed: the ledger says where it stands

    @property
    def done(self) -> bool:
        """Whether the invoice is cancelled on both sides."""
        return self in (Kind.CANCELLED, Kind.ALREADY_CANCELLED)

    @property
    def worth_another_try(self) -> bool:
        """Whether the same step may end otherwise if it is tried again."""
        return self in (Kind.UNANSWERED, Kind.NOT_SENT, Kind.BROKEN)


_KINDS = (
    (KeyRejected, Kind.KEY_REJECTED),
    (Refused, Kind.REFUSED),
    (NotSent, Kind.STOPPED),
    (NotProcessed, Kind.NOT_SENT),
    (PaystackError, Kind.UNANSWERED),
)
"""What an error of Paystack makes of an invoice, the closest first. The ledger stays as it is."""


@dataclass(frozen=True)
class Outcome:
    """What became of one cancellation, and why."""

    invoice: CancellationTarget
    kind: Kind
    why: str = ""


class _LeftAlone(Exception):
    """It is not to be cancelled, whatever was wanted; the message says why."""

    def __init__(self, kind: Kind, why: str) -> None:
        super().__init__(why)
        self.kind = kind


@dataclass(frozen=True)
class InvoiceCancellation:
    """Cancels invoices; safe to use from many threads and processes at once, and again.

    `without_paystack`: also where Paystack does not know the payment request.
    """

    engine: Engine
    paystack: PaystackClient
    without_paystack: bool = False
    recording: Recording = field(default_factory=Recording)

    def cancel(self, invoice: CancellationTarget) -> Outcome:
        """Never raises: one bad invoice stops no other."""
        if self.paystack.stop.is_set():
            return Outcome(invoice, Kind.STOPPED)
        if self.recording.hold:
            return Outcome(invoice, Kind.NOT_SENT, self.recording.hold)
        try:
            return self._cancel(invoice)
        except PaystackError as error:
            kind = next(kind for known, kind in _KINDS if isinstance(error, known))
            return Outcome(invoice, kind, str(error))
        except DBAPIError as error:
            return Outcome(invoice, Kind.BROKEN, complaints.in_words(error))
        except Exception as error:  # its message may quote a row
            return Outcome(invoice, Kind.BROKEN, type(error).__name__)

    def _cancel(self, invoice: CancellationTarget) -> Outcome:
        try:
            if not self._is_archived(invoice):
                self._archive(invoice)
            with self.recording.of_one(), self.engine.begin() as connection:
                if cancelling.record(connection, invoice):
                    return Outcome(invoice, Kind.CANCELLED)
            return self._as_it_stands(invoice)
        except _LeftAlone as error:
            with self.engine.begin() as connection:
                cancelling.give_up(connection, invoice, str(error))
            return Outcome(invoice, error.kind, str(error))

    def _is_archived(self, invoice: CancellationTarget) -> bool:
        """Asks Paystack, and claims the row, committed, unless the answer forbids it.

        After a crash the claim tells the next run what was wanted, and why.
        """
        request = self._unpaid_request(invoice)
        with self.engine.begin() as connection:
            cancelling.claim(connection, invoice)
        return request is None or request.archived is True

    def _archive(self, invoice: CancellationTarget) -> None:
        with self.engine.connect() as connection:
            stands = cancelling.status_of(connection, invoice)
        if stands.state != "cancelling" or stands.is_paid:
            return  # recording says why
        try:
            self.paystack.archive_payment_request(invoice.request_code)
        except KeyRejected:
            raise
        except Refused as error:  # certainly not archived, and never will be
            raise _LeftAlone(Kind.REFUSED, str(error)) from None
        # A payment may have come in between; from here on none can be begun.
        self._unpaid_request(invoice)

    def _unpaid_request(self, invoice: CancellationTarget) -> PaymentRequest | None:
        """The payment request, if nothing was paid on it; None if Paystack does not know it, and
        that is no obstacle."""
        try:
            request = self.paystack.fetch_payment_request(invoice.request_code)
        except NotFound as error:
            if self.without_paystack:
                return None
            raise Refused(
                f"{error.message}: Paystack does not know {invoice.request_code} under this key."
                " If it is the key that it was made with, launch again with"
                " without_paystack: true",
                status=error.status,
                code=error.code,
            ) from None
        if request.has_payments:
            records.settle(self.engine, invoice.invoice_id, request)
            raise _LeftAlone(Kind.PAID, f"there is a payment at Paystack on {request.request_code}")
        return request

    def _as_it_stands(self, invoice: CancellationTarget) -> Outcome:
        """What kept it from being recorded: another run was faster, or a payment."""
        with self.engine.connect() as connection:
            stands = cancelling.status_of(connection, invoice)
        if stands.state == "cancelled":
            return Outcome(invoice, Kind.ALREADY_CANCELLED)
        if stands.is_paid:
            raise _LeftAlone(Kind.PAID, "a payment is recorded in LeaseUp")
        return Outcome(invoice, Kind.REFUSED, f"it changed meanwhile and is {stands.state} now")
