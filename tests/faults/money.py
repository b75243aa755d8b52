"""The promise about money, written a second time: what Paystack received is in LeaseUp once."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from leaseup_dagster.sandbox.paystack_books import StoredPaymentRequest
from tests.faults.world import World

_OPEN = ("PENDING", "OVERDUE", "PARTIALLY_PAID")


class Miscounted(AssertionError):
    """A payment is in LeaseUp twice, or not at all, and nobody is alerted."""


@dataclass(frozen=True)
class Money:
    """One invoice in cents: received on its payment request, recorded of that, and otherwise."""

    invoice: str
    status: str
    due: int
    request: StoredPaymentRequest
    received: int
    recorded: int
    otherwise: int


def of_every_invoice(world: World) -> list[Money]:
    """Each invoice whose payment request is at Paystack."""
    requests = {r.request_code: r for r in world.paystack.payment_requests}
    paid: dict[object, Counter[str]] = defaultdict(Counter)
    for invoice, reference, cents in world.rows(
        'SELECT "invoiceId", coalesce("referenceId", \'\'),'
        ' round("amountPaid"::numeric * 100)::bigint FROM transaction'
    ):
        paid[invoice][str(reference)] += int(cents)  # type: ignore[call-overload]
    found = []
    for invoice, status, cents, code in world.rows(
        'SELECT id, status::text, round("dueAmount"::numeric * 100)::bigint, "paystackId"'
        " FROM invoice"
    ):
        request = requests.get(str(code))
        if request is None:
            continue
        names = {request.request_code, request.offline_reference}
        names |= {str(one["reference"]) for one in request.transactions}
        recorded = sum(n for reference, n in paid[invoice].items() if reference in names)
        found.append(
            Money(
                str(invoice),
                str(status),
                int(cents),  # type: ignore[call-overload]
                request,
                sum(one["amount"] for one in request.transactions if one["status"] == "success"),
                recorded,
                paid[invoice].total() - recorded,
            )
        )
    return found


def we_never_wrote_too_much(world: World, before: dict[str, int]) -> None:
    """After any run of ours: what we wrote down is no more than was missing before."""
    for money in of_every_invoice(world):
        wrote = money.recorded - before.get(money.invoice, 0)
        if wrote > 0 and money.recorded > money.received:
            raise Miscounted(f"{wrote} cents too many were written down: {money}")


def recorded(world: World) -> dict[str, int]:
    return {money.invoice: money.recorded for money in of_every_invoice(world)}


def books_are_one(world: World) -> None:
    """After a healthy night: for every invoice recorded = received, or a person is alerted."""
    asked = {
        str(invoice)
        for (invoice,) in world.rows("SELECT invoice_id FROM leaseup_dagster.payment_question")
    }
    ours = {
        str(code)
        for (code,) in world.rows(
            "SELECT request_code FROM leaseup_dagster.invoice_ledger WHERE invoice_id IS NOT NULL"
        )
    }
    for money in of_every_invoice(world):
        request, asked_about = money.request, money.invoice in asked
        if request.request_code not in ours:
            continue
        if request.paid and money.status in _OPEN:
            raise Miscounted(f"paid, and open in LeaseUp: {money}")
        # A list does not say what was paid in part: that is asked when LeaseUp knows of a part, or
        # when it is late.
        known = request.paid or money.status not in ("PENDING", "OVERDUE")
        if known and money.recorded != money.received and not asked_about:
            raise Miscounted(f"nobody is alerted: {money}")
        if (
            known
            and money.received
            and money.otherwise + money.received > money.due
            and not asked_about
        ):
            raise Miscounted(f"more than was billed, and nobody is alerted: {money}")
        settled = money.status in ("PAID", "CANCELLED")
        if settled and not request.paid and not request.archived and not asked_about:
            raise Miscounted(f"settled, and still payable: {money}")
