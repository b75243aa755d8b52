"""The protocol that repairs one difference: adopt → record the payment → archive.

No SQL and no HTTP in here, only their order. Each step is committed before the next, and what is
done is no difference any more: after a crash the next run goes on where this one stopped. Nothing
is decided by a list, which does not say what is archived: first everything is fetched.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from leaseup_dagster.database import complaints
from leaseup_dagster.invoicing.creation import adoption
from leaseup_dagster.invoicing.creation.adoption import FoundRequest
from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.invoicing.ledger import queries
from leaseup_dagster.invoicing.payments import records
from leaseup_dagster.invoicing.payments.receipts import Question
from leaseup_dagster.invoicing.rules.references import reference_in
from leaseup_dagster.money import format_rands
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.paystack.errors import NotFound, NotSent, PaystackError
from leaseup_dagster.paystack.models import PaymentRequest
from leaseup_dagster.reconciliation import books
from leaseup_dagster.reconciliation.decisions import Decision, MonthInvoice, decide
from leaseup_dagster.reconciliation.differences import Difference, Name
from leaseup_dagster.settings import TaskSettings


class Kind(Enum):
    """What became of one payment request."""

    ADOPTED = "adopted"
    PAID = "marked paid"
    ARCHIVED = "archived"
    AMOUNT = "amount differs"
    UNDECIDED = "undecided"  # a person must
    WAITING = "waiting for a person"  # who was alerted on an earlier night
    UNKNOWN_LEASE = "of no lease here"  # of another LeaseUp on the same integration; not touched
    FAILED = "failed"
    LEFT = "left"  # the run was asked to stop, or its time is up


@dataclass(frozen=True)
class Finding:
    """One line of the report: ids and cents, nobody's data."""

    kind: Kind
    reference: str
    request_code: str
    key: LedgerKey | None = None
    amount_cents: int = 0
    why: str = ""


@dataclass(frozen=True)
class Repairs:
    """Repairs differences; safe to use from many threads and runs at once, and again."""

    engine: Engine
    paystack: PaystackClient
    tasks: TaskSettings

    def repair(self, found: Difference) -> list[Finding]:
        """Never raises: one bad row stops no other."""
        done: list[Finding] = []
        with _failures_in(done, found):
            self._repair(found, done)
        return done

    def _repair(self, found: Difference, done: list[Finding]) -> None:
        if found.name is Name.AMOUNT and found.held:
            why = f"its invoice {found.held.invoice_id} says {found.held.amount_cents} cents"
            done.append(_finding(Kind.AMOUNT, found, found.request, why))
        elif found.name is Name.PAID and found.held:
            request = self.paystack.fetch_payment_request(found.request.request_code)
            self._settle(found.held.invoice_id, request, found, done)
        elif found.name is Name.SETTLED and found.held:
            self._close(found.held.invoice_id, found, done)
        elif found.key is None:
            done.append(_finding(Kind.UNKNOWN_LEASE, found, found.request))
        else:
            requests = self._all_of(found)
            with self.engine.connect() as connection:
                invoices = books.invoices_of(connection, found.key)
            requests += self._invoiced(invoices, requests)
            if found.name is Name.CANCELLED:
                self._remember_archived(requests)
            self._carry_out(decide(requests, invoices), found, found.key, done)

    def ask_again(self, invoice_id: str, request_code: str) -> list[Finding]:
        """One request that no list names: what is in doubt about it may have been put right."""
        done: list[Finding] = []
        named = PaymentRequest(id=0, request_code=request_code, amount_cents=0)
        found = Difference(Name.PAID, "", named)
        with _failures_in(done, found):
            request = self.paystack.fetch_payment_request(request_code)
            found = Difference(Name.PAID, reference_in(request) or "", request)
            self._settle(invoice_id, request, found, done)
        return done

    def _settle(
        self, invoice_id: str, request: PaymentRequest, found: Difference, done: list[Finding]
    ) -> None:
        """What was paid on the request is written down; what is in doubt is reported to a
        person."""
        settled = records.settle(self.engine, invoice_id, request)
        if settled.written_cents or (settled.was_open and settled.paid):
            done.append(_finding(Kind.PAID, found, request))
        if settled.question:
            kind = Kind.WAITING if settled.reported else Kind.UNDECIDED
            done.append(_finding(kind, found, request, _in_doubt(invoice_id, settled.question)))
        if settled.paid and not (request.has_payments or request.archived):
            self._close(invoice_id, found, done)

    def _close(self, invoice_id: str, found: Difference, done: list[Finding]) -> None:
        """No request stays payable whose invoice was paid otherwise, unless money is on it."""
        request = self.paystack.fetch_payment_request(found.request.request_code)
        if not (request.has_payments or request.archived):
            self._archive(request, found, done)
            # It may have been paid while it was archived; from here on nobody can begin to.
            request = self.paystack.fetch_payment_request(request.request_code)
        self._remember_archived([request])
        if request.has_payments:
            self._settle(invoice_id, request, found, done)

    def _archive(self, request: PaymentRequest, found: Difference, done: list[Finding]) -> None:
        self.paystack.archive_payment_request(request.request_code)
        done.append(_finding(Kind.ARCHIVED, found, request))

    def _remember_archived(self, requests: Iterable[PaymentRequest]) -> None:
        with self.engine.begin() as connection:
            books.remember_archived(connection, [r.request_code for r in requests if r.archived])

    def _all_of(self, found: Difference) -> list[PaymentRequest]:
        """Every payment request with this reference, however old, as it stands now."""
        codes = {found.request.request_code: None}
        if found.request.customer_id is not None:
            listed = self.paystack.payment_requests_of(found.request.customer_id)
            ours = (r.request_code for r in listed if reference_in(r) == found.reference)
            codes |= dict.fromkeys(ours)
        return [self.paystack.fetch_payment_request(code) for code in codes]

    def _invoiced(
        self, invoices: list[MonthInvoice], known: list[PaymentRequest]
    ) -> list[PaymentRequest]:
        """What the month's invoices point at, where it carries another reference or none."""
        codes = {i.request_code for i in invoices if i.request_code and i.status != "CANCELLED"}
        found = []
        for code in sorted(codes - {request.request_code for request in known}):
            try:
                found.append(self.paystack.fetch_payment_request(code))
            except NotFound:  # made under another key, or never
                continue
        return found

    def _carry_out(
        self, decision: Decision, found: Difference, key: LedgerKey, done: list[Finding]
    ) -> None:
        invoice_id = decision.invoice_id
        if decision.adopt:
            invoice_id = self._adopt(decision.adopt, found.reference, key)
            if invoice_id is None:
                kind, why = self._why_not_adopted(key)
                done.append(_finding(kind, found, decision.adopt, why))
                return
            done.append(_finding(Kind.ADOPTED, found, decision.adopt))
        if decision.pays and invoice_id:
            self._settle(invoice_id, decision.pays, found, done)
        for request in decision.archive:
            self._archive(request, found, done)
        if decision.ask:
            done.append(_finding(Kind.UNDECIDED, found, found.request, decision.ask))

    def _adopt(self, request: PaymentRequest, reference: str, key: LedgerKey) -> str | None:
        """The invoice's id; None if the month may not have it."""
        wanted = FoundRequest.of(request, key, reference)
        with self.engine.begin() as connection:
            adoption.expect(connection, [wanted], self.tasks)
            adoption.record_found(connection, key, reference, request)
            return queries.invoice_of_request(connection, request.request_code)

    def _why_not_adopted(self, key: LedgerKey) -> tuple[Kind, str]:
        with self.engine.connect() as connection:
            state = books.state_of(connection, key)
        if state in ("requesting", "cancelling"):
            return Kind.LEFT, "its month is being billed or cancelled just now"
        if state == "invoiced":
            why = "its invoice was deleted from LeaseUp: archive it in Paystack's dashboard"
        else:
            why = (
                "it cannot have an invoice: its lease has no tenant or no unit, or an invoice dated"
                " within 3 days. Put that right in LeaseUp, or archive it in Paystack's dashboard"
            )
        return Kind.UNDECIDED, why


@contextmanager
def _failures_in(done: list[Finding], found: Difference) -> Iterator[None]:
    """An error becomes a finding."""
    try:
        yield
    except NotSent as error:
        done.append(_finding(Kind.LEFT, found, found.request, error.message))
    except PaystackError as error:
        done.append(_finding(Kind.FAILED, found, found.request, str(error)))
    except DBAPIError as error:
        done.append(_finding(Kind.FAILED, found, found.request, complaints.in_words(error)))
    except Exception as error:  # its message may quote a row
        done.append(_finding(Kind.FAILED, found, found.request, type(error).__name__))


def _in_doubt(invoice_id: str, question: Question) -> str:
    rows = f"; too many: transaction {', '.join(question.rows)}" if question.rows else ""
    sums = question.sums
    return (
        f"invoice {invoice_id} {question.doubt.value}: {question.doubt.meaning}. Paystack received"
        f" {format_rands(sums.received)}, LeaseUp has {format_rands(sums.recorded)} of it and"
        f" {format_rands(sums.otherwise)} otherwise{rows}. Say what is right with decide_payment"
    )


def _finding(kind: Kind, found: Difference, request: PaymentRequest, why: str = "") -> Finding:
    return Finding(
        kind, found.reference, request.request_code, found.key, request.amount_cents, why
    )
