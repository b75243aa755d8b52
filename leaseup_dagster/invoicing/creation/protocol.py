"""The exactly-once protocol for one invoice. No SQL and no HTTP in here, only their order.

wait for our slot → claim, committed → send → record. Paystack has no idempotency key: what makes
sending again safe is that a claimed row is searched for first. When it is not there, and its claim
is so old that it cannot be under way any more, it is planned again, by the rules of that moment:
somebody else may have billed the month meanwhile.
"""

import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from leaseup_dagster.database import complaints
from leaseup_dagster.database.recording import Recording
from leaseup_dagster.invoicing.creation import adoption
from leaseup_dagster.invoicing.creation.orphans import CLOCKS_DIFFER
from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.invoicing.ledger import queries, transitions
from leaseup_dagster.invoicing.ledger.queries import Unanswered
from leaseup_dagster.invoicing.ledger.transitions import Claim
from leaseup_dagster.invoicing.rules.skip_reasons import SkipReason
from leaseup_dagster.paystack.client import PaystackClient, Slot
from leaseup_dagster.paystack.errors import (
    KeyRejected,
    NotFound,
    NotProcessed,
    NotSent,
    OutcomeUnknown,
    PaystackError,
    Refused,
)
from leaseup_dagster.paystack.models import NewPaymentRequest, PaymentRequest
from leaseup_dagster.settings import SEND_WINDOW_SECONDS

_NEXT_IN_LINE = 2
"""So many threads take a slot of the quota ahead. What they would send may be another run's by
then, and a slow Paystack would have them all leave late: the fewer the better; one alone would come
late for the next."""


class Kind(Enum):
    """What became of one attempt."""

    CREATED = "created"
    ADOPTED = "adopted"
    REFUSED = "refused"
    NOT_SENT = "not sent"  # certainly not at Paystack: planned, may be tried again
    UNANSWERED = "unanswered"  # perhaps at Paystack: searched for before anything else
    BROKEN = "broken"  # our own side failed: the ledger says where it stands
    STOPPED = "stopped"  # the run was asked to stop, or its time is up
    KEY_REJECTED = "key rejected"  # no request works until the setting is right
    CLAIMED_ELSEWHERE = "claimed elsewhere"  # by another run
    PLANNED_AGAIN = "planned again"  # an earlier attempt never arrived
    HELD = "held"  # not sent: Paystack could not be asked what it has, or nothing can be recorded

    @property
    def worth_another_try(self) -> bool:
        """Whether the same step may end otherwise if it is tried again."""
        return self in (Kind.NOT_SENT, Kind.UNANSWERED, Kind.BROKEN)


@dataclass(frozen=True)
class Outcome:
    """What became of one month in this run, and why."""

    key: LedgerKey
    kind: Kind
    why: str | None = None


@dataclass(frozen=True)
class InvoiceCreation:
    """Creates invoices; safe to use from many threads, processes and machines at once."""

    engine: Engine
    paystack: PaystackClient
    settle_seconds: float
    send_notification: bool
    send_window_seconds: float = SEND_WINDOW_SECONDS
    # Requests at once; what has its answer is recorded beside them.
    at_once: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(10))
    next_in_line: threading.Semaphore = field(
        default_factory=lambda: threading.Semaphore(_NEXT_IN_LINE)
    )
    recording: Recording = field(default_factory=Recording)

    def bill(self, key: LedgerKey) -> Outcome:
        """One planned month. Never raises: one bad row stops no other."""
        return self._unless_stopped(key, lambda: self._mark_and_send(key))

    def look_up(self, attempt: Unanswered) -> Outcome:
        """One month without an answer: adopted, or planned again, or left as it is. Never raises,
        and sends nothing."""
        return self._unless_stopped(attempt.key, lambda: self._look_up(attempt))

    def _unless_stopped(self, key: LedgerKey, act: Callable[[], Outcome]) -> Outcome:
        try:
            return Outcome(key, Kind.STOPPED) if self.paystack.stop.is_set() else act()
        except KeyRejected as error:
            return Outcome(key, Kind.KEY_REJECTED, str(error))
        except NotSent as error:
            return Outcome(key, Kind.STOPPED, str(error))
        except PaystackError as error:  # from a lookup: nothing was sent, nothing is known
            return Outcome(key, Kind.UNANSWERED, str(error))
        except Exception as error:  # the row's own data must not reach a log with the message
            return Outcome(key, Kind.BROKEN, _describe(error))

    def _mark_and_send(self, key: LedgerKey) -> Outcome:
        with self._slot() as slot:
            if self.recording.hold:
                self.paystack.give_back_slot_to_create(slot)
                return Outcome(key, Kind.HELD, self.recording.hold)
            send_before = time.monotonic() + self.send_window_seconds
            with self._commit_each() as connection:
                claimed = transitions.claim(connection, key)
            if claimed is None:
                self.paystack.give_back_slot_to_create(slot)
                return Outcome(key, Kind.CLAIMED_ELSEWHERE)
            made = self._send(claimed, send_before)
        return made if isinstance(made, Outcome) else self._record(claimed, made)

    @contextmanager
    def _slot(self) -> Iterator[Slot]:
        """A slot, and one of the requests at once. Few wait for the second while they hold the
        first, and who waited too long for it waits for a slot again."""
        with self.next_in_line:
            slot = self.paystack.wait_for_slot_to_create()
            self.at_once.acquire()
        try:
            if not self.paystack.may_still_use(slot):
                slot = self.paystack.wait_for_slot_to_create()
            yield slot
        finally:
            self.at_once.release()

    def _look_up(self, attempt: Unanswered) -> Outcome:
        found = self._find(attempt)
        if found:
            return self._adopt(attempt, found)
        if attempt.settles_in > 0:
            return Outcome(attempt.key, Kind.UNANSWERED, "not found at Paystack, and too recent")
        with self._commit_each() as connection:
            planned = transitions.plan_again(connection, attempt)
        return Outcome(attempt.key, Kind.PLANNED_AGAIN if planned else Kind.CLAIMED_ELSEWHERE)

    def _send(self, claimed: Claim, send_before: float) -> PaymentRequest | Outcome:
        """The payment request, or what became of the attempt, which the ledger has by then."""
        try:
            return self.paystack.create_payment_request(
                self._request(claimed), send_before=send_before
            )
        except (NotProcessed, KeyRejected) as error:
            with self._commit_each() as connection:
                transitions.release(connection, claimed, str(error))
            if isinstance(error, KeyRejected):
                return Outcome(claimed.key, Kind.KEY_REJECTED, str(error))
            stopped = self.paystack.stop.is_set()
            return Outcome(claimed.key, Kind.STOPPED if stopped else Kind.NOT_SENT, str(error))
        except OutcomeUnknown as error:
            with self._commit_each() as connection:
                transitions.leave_unanswered(connection, claimed, str(error))
            return Outcome(claimed.key, Kind.UNANSWERED, str(error))
        except Refused as error:
            why = _why_refused(error, claimed)
            with self._commit_each() as connection:
                transitions.refuse(connection, claimed, why)
            return Outcome(claimed.key, Kind.REFUSED, why)

    def _record(self, claimed: Claim, made: PaymentRequest) -> Outcome:
        with self.recording.of_one(), self._commit_each() as connection:
            recorded = transitions.record(
                connection,
                claimed.key,
                claimed.reference,
                invoice_id=str(uuid.uuid4()),
                request_code=made.request_code,
                offline_reference=made.offline_reference,
                amount_cents=claimed.amount_cents,
                made_at=made.created_at,
            )
        if recorded:
            return Outcome(claimed.key, Kind.CREATED)
        return Outcome(claimed.key, Kind.CLAIMED_ELSEWHERE, self._second_request(claimed, made))

    def _second_request(self, claimed: Claim, made: PaymentRequest) -> str | None:
        """What to say if the month is recorded with another payment request than this one."""
        with self._commit_each() as connection:
            recorded = queries.results(connection, [claimed.key])
        if not recorded or recorded[0].request_code in (None, made.request_code):
            return None
        return (
            f"a second payment request, {made.request_code}, was made for it."
            " Launch reconcile_payment_requests, which archives it"
        )

    def _request(self, claimed: Claim) -> NewPaymentRequest:
        return NewPaymentRequest(
            customer=claimed.customer_code,
            amount_cents=claimed.amount_cents,
            currency=claimed.currency,
            due_date=claimed.key.due_date,
            description=claimed.description,
            metadata={
                "reference": claimed.reference,
                "lease_id": claimed.key.lease_id,
                "due_date": claimed.key.due_date.isoformat(),
            },
            split_code=claimed.split_code,
            send_notification=self.send_notification,
        )

    def _find(self, attempt: Unanswered) -> PaymentRequest | None:
        """Our payment request at Paystack: of several the paid one, else the oldest live one."""
        ours = [
            # A list does not say which ones are archived.
            self.paystack.fetch_payment_request(request.request_code)
            for request in self._where_it_would_be(attempt)
            if request.mentions(attempt.reference)
        ]
        # What else is found is archived by reconciliation.
        return min(ours, key=lambda r: (not r.paid, bool(r.archived), r.id), default=None)

    def _where_it_would_be(self, attempt: Unanswered) -> Iterator[PaymentRequest]:
        code = attempt.customer_code
        try:
            customer_id = int(code) if code.isdigit() else self.paystack.fetch_customer(code).id
        except NotFound:  # a customer that is gone does not mean that the request is
            return self.paystack.payment_requests_between(attempt.attempted_at - CLOCKS_DIFFER)
        return self.paystack.payment_requests_of(customer_id)

    def _adopt(self, attempt: Unanswered, found: PaymentRequest) -> Outcome:
        """Record what an earlier attempt made, unless somebody else has billed the month since."""
        with self.engine.connect() as connection:
            billed = queries.is_billed_beside(connection, attempt.key, found.request_code)
        if billed:
            return self._take_back(attempt, found)
        with self.engine.begin() as connection:
            recorded = adoption.record_found(connection, attempt.key, attempt.reference, found)
        return Outcome(attempt.key, Kind.ADOPTED if recorded else Kind.CLAIMED_ELSEWHERE)

    def _take_back(self, attempt: Unanswered, found: PaymentRequest) -> Outcome:
        """Two requests for one month: ours is archived before the ledger lets go of it. One with
        money on it is for the reconciliation, which records the money and closes the other."""
        if not (found.has_payments or found.archived):
            self.paystack.archive_payment_request(found.request_code)
        with self._commit_each() as connection:
            transitions.withdraw(connection, attempt, SkipReason.ALREADY_INVOICED)
        return Outcome(attempt.key, Kind.CLAIMED_ELSEWHERE)

    def _commit_each(self) -> Connection:
        """A connection on which every statement is its own committed transaction."""
        return self.engine.execution_options(isolation_level="AUTOCOMMIT").connect()


def _why_refused(error: Refused, claimed: Claim) -> str:
    """Paystack's words; and what they mean where it does not know the tenant's customer."""
    if "customer" not in error.message.lower():
        return str(error)
    return (
        f"{error}. Paystack does not know the customer {claimed.customer_code} of tenant"
        f" {claimed.tenant_id} under this key: it was made in the other mode, or deleted. Launch"
        f' create_paystack_customers with tenant_ids: ["{claimed.tenant_id}"] and renew: true'
    )


def _describe(error: Exception) -> str:
    """Class and place, never the message: it may quote a row. The database's is made anew."""
    if isinstance(error, DBAPIError):
        return complaints.in_words(error)
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "leaseup_dagster" in frame.filename]
    place = f" at {ours[-1].name}, line {ours[-1].lineno}" if ours else ""
    return f"{type(error).__name__}{place}"
