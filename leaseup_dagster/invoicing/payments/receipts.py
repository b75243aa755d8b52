"""What Paystack received on a payment request against what LeaseUp has recorded of it. Pure.

A payment may have been written down by LeaseUp's webhook (under the request's offline reference or
its code), by us (under the reference of Paystack's transaction), or by a person (under anything or
nothing). Sums are compared, so that it does not matter who was first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from leaseup_dagster.paystack.models import PaymentRequest

OPEN = ("PENDING", "OVERDUE", "PARTIALLY_PAID")
"""Statuses in which an invoice is still to be paid: never drafts, cancelled or paid ones."""


@dataclass(frozen=True)
class Payment:
    """A payment as Paystack knows it. The reference is Paystack's own."""

    reference: str
    amount_cents: int
    paid_at: datetime | None = None


@dataclass(frozen=True)
class Recorded:
    """A payment as LeaseUp has it: one row of `transaction`."""

    id: str
    reference: str
    amount_cents: int
    # Its method is PAYSTACK, which nobody but us writes.
    by_us: bool = False


class Doubt(str, Enum):
    """What only a person can decide about the money of one invoice; `meaning` is for people."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> "Doubt":
        """Each member is its stored value, with a `meaning` for people."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    RECORDED_TWICE = (
        "recorded twice",
        "LeaseUp has recorded more for it than Paystack received: delete the rows that are too"
        " many. If the money was given back, the invoice is open again",
    )
    PAID_OTHERWISE = (
        "paid otherwise and at Paystack",
        "LeaseUp has it as paid otherwise, manually or on another request, and Paystack received it"
        " as well: the same money, or paid twice",
    )
    TOO_MUCH = (
        "more than was billed",
        "what Paystack received, and what LeaseUp has as paid otherwise, come to more than the"
        " invoice: a part of it was paid twice, or entered twice",
    )
    CANCELLED = (
        "paid although cancelled",
        "it is cancelled in LeaseUp, or in another status in which nothing is to be paid, and"
        " Paystack received money for it: give it back, or reopen the invoice",
    )
    STILL_PAYABLE = (
        "settled and still payable",
        "it is settled, and the rest of its payment request can still be paid: archive that in"
        " Paystack's dashboard",
    )


class Decision(str, Enum):
    """What a person says about a doubt."""

    LEAVE = "leave"  # the books are right as they are
    RECORD = "record"  # what Paystack received is money of its own: write it down too


@dataclass(frozen=True)
class Sums:
    """The money of one invoice and one payment request, in cents.

    `otherwise` is what LeaseUp has for the invoice beside this request: manually, or paid on
    another request.
    """

    received: int
    recorded: int
    otherwise: int


@dataclass(frozen=True)
class Decided:
    """A person's decision, and the sums it was made about."""

    decision: Decision
    about: Sums

    def stands(self, now: Sums) -> bool:
        """Other sums are another question; what was written down by a decision is not, as long as
        it is no more than was received."""
        same = (now.received, now.otherwise) == (self.about.received, self.about.otherwise)
        by_it = self.decision is Decision.RECORD and now.recorded <= now.received
        return same and (by_it or now.recorded == self.about.recorded)


@dataclass(frozen=True)
class Question:
    """A doubt, and the ids of the rows it is about."""

    doubt: Doubt
    sums: Sums
    rows: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """What is to be written down, whether the invoice is settled by it, and what to ask."""

    missing: tuple[Payment, ...] = ()
    settled: bool = False
    question: Question | None = None


def payments_on(request: PaymentRequest) -> list[Payment]:
    """The payments made on a payment request that was fetched: a list has none of them."""
    found = [
        Payment(transaction.reference, transaction.amount_cents, transaction.paid_at)
        for transaction in request.transactions
        if transaction.status == "success" and transaction.reference and transaction.amount_cents
    ]
    if request.paid and not found and not request.transactions:
        # Marked as paid on the dashboard: there is no transaction, so the request stands for it.
        cents = request.amount_paid_cents or request.amount_cents
        return [Payment(request.request_code, cents, request.paid_at)]
    return found


def compare(
    request: PaymentRequest,
    status: str,
    due_cents: int | None,
    rows: Sequence[Recorded],
    decided: Decided | None = None,
) -> Comparison:
    """`request` was fetched; `rows` are all of the invoice's payments in LeaseUp; `due_cents` is
    the invoice's amount, None where it is unreadable."""
    payments = payments_on(request)
    of_it = [row for row in rows if row.reference in _names(request)]
    sums = Sums(
        received=_cents(payments),
        recorded=_cents(of_it),
        otherwise=_cents(row for row in rows if row not in of_it),
    )
    answered = decided if decided is not None and decided.stands(sums) else None
    missing = _missing(payments, of_it)
    doubt = _doubt(request, status, due_cents, sums)
    if status not in (*OPEN, "PAID") or (
        doubt is Doubt.PAID_OTHERWISE and not (answered and answered.decision is Decision.RECORD)
    ):
        missing = []
    question = Question(doubt, sums, _too_many(of_it, payments)) if doubt else None
    return Comparison(
        missing=tuple(missing),
        settled=_is_settled(request, due_cents, sums),
        question=None if answered else question,
    )


def _names(request: PaymentRequest) -> set[str]:
    """Every reference under which a payment of the request may stand in LeaseUp."""
    own = {transaction.reference for transaction in request.transactions}
    return (own | {request.offline_reference, request.request_code}) - {""}


def _doubt(request: PaymentRequest, status: str, due_cents: int | None, sums: Sums) -> Doubt | None:
    if sums.recorded > sums.received:
        return Doubt.RECORDED_TWICE
    if not sums.received:
        return None
    if status not in (*OPEN, "PAID"):
        return Doubt.CANCELLED
    if due_cents is not None and sums.otherwise + sums.received > due_cents:
        covered = sums.otherwise >= due_cents and sums.recorded < sums.received
        return Doubt.PAID_OTHERWISE if covered else Doubt.TOO_MUCH
    settled = status == "PAID" or _is_settled(request, due_cents, sums)
    payable = not (request.paid or request.archived)
    return Doubt.STILL_PAYABLE if settled and payable else None


def _is_settled(request: PaymentRequest, due_cents: int | None, sums: Sums) -> bool:
    if request.paid and sums.received:
        return True
    return due_cents is not None and sums.received + sums.otherwise >= due_cents


def _missing(payments: Sequence[Payment], of_it: Sequence[Recorded]) -> list[Payment]:
    """The payments that nobody has written down, and never more than what is missing in all."""
    left = _cents(payments) - _cents(of_it)
    known = {row.reference for row in of_it}
    by_webhook = [row.amount_cents for row in of_it if row.reference not in _references(payments)]
    missing = []
    for payment in payments:
        if left <= 0 or payment.reference in known:
            continue
        if payment.amount_cents in by_webhook:
            by_webhook.remove(payment.amount_cents)
            continue
        cents = min(left, payment.amount_cents)
        missing.append(Payment(payment.reference, cents, payment.paid_at))
        left -= cents
    return missing


def _too_many(of_it: Sequence[Recorded], payments: Sequence[Payment]) -> tuple[str, ...]:
    """The rows beyond what was received: those with Paystack's own references are kept first."""
    left, beyond = _cents(payments), []
    own = _references(payments)
    for row in sorted(of_it, key=lambda row: row.reference not in own):
        if row.amount_cents > left:
            beyond.append(row.id)
        else:
            left -= row.amount_cents
    return tuple(beyond)


def _references(payments: Iterable[Payment]) -> set[str]:
    return {payment.reference for payment in payments}


def _cents(rows: Iterable[Payment | Recorded]) -> int:
    return sum(row.amount_cents for row in rows)
