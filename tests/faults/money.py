"""The promise about money, checked independently: what Paystack received is in LeaseUp once."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from leaseup_dagster.sandbox.paystack_books import StoredPaymentRequest
from tests.faults.world import World

_OPEN = ("PENDING", "OVERDUE", "PARTIALLY_PAID")


class WrongPayments(AssertionError):
    """A payment is in LeaseUp twice or not at all, and no person is asked about it."""


@dataclass(frozen=True)
class Money:
    """One invoice, amounts in cents.

    `received` on its payment request, `recorded` of that in LeaseUp, and `otherwise`: recorded
    payments that Paystack did not receive, such as cash.
    """

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


def check_we_recorded_no_excess(world: World, before: dict[str, int]) -> None:
    """After any run of ours: it recorded no more than was missing before."""
    for money in of_every_invoice(world):
        added = money.recorded - before.get(money.invoice, 0)
        if added > 0 and money.recorded > money.received:
            raise WrongPayments(f"a run recorded {added} cents too many: {money}")


def recorded(world: World) -> dict[str, int]:
    """Cents recorded of each invoice's payment request."""
    return {money.invoice: money.recorded for money in of_every_invoice(world)}


def check_payments_agree(world: World) -> None:
    """After a healthy reconciliation: recorded = received, or a person is asked."""
    asked = {
        str(invoice)
        for (invoice,) in world.rows("SELECT invoice_id FROM leaseup_dagster.payment_question")
    }
    own_codes = {
        str(code)
        for (code,) in world.rows(
            "SELECT request_code FROM leaseup_dagster.invoice_ledger WHERE invoice_id IS NOT NULL"
        )
    }
    for money in of_every_invoice(world):
        request, asked_about = money.request, money.invoice in asked
        if request.request_code not in own_codes:
            continue
        if request.paid and money.status in _OPEN:
            raise WrongPayments(f"paid at Paystack, but open in LeaseUp: {money}")
        # Paystack's list does not show partial payments. They are fetched when LeaseUp knows of
        # one, or when the invoice is overdue.
        known = request.paid or money.status not in ("PENDING", "OVERDUE")
        if known and money.recorded != money.received and not asked_about:
            raise WrongPayments(f"recorded is not received, and nobody is asked: {money}")
        if (
            known
            and money.received
            and money.otherwise + money.received > money.due
            and not asked_about
        ):
            raise WrongPayments(f"more was paid than was billed, and nobody is asked: {money}")
        closed = money.status in ("PAID", "CANCELLED")
        if closed and not request.paid and not request.archived and not asked_about:
            raise WrongPayments(f"closed in LeaseUp, but still payable at Paystack: {money}")
