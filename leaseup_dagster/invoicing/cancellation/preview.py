"""What cancel_invoice would cancel, shown before it is confirmed. Writes nothing.

Each invoice is shown as both sides have it at this moment; whether it can be cancelled is decided
by the rule that the cancellation itself follows: a payment wins.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from leaseup_dagster.invoicing.ledger.cancelling import CancellationTarget, Chosen, InLeaseUp
from leaseup_dagster.money import format_rands
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.paystack.errors import NotFound, PaystackError

COLUMNS = (
    "invoice", "lease", "due date", "amount", "in LeaseUp", "payment request", "at Paystack",
    "what confirm: true does",
)  # fmt: skip

_STAYS = "Nothing: a payment wins, it stays."
_PAID = ("PAID", "PARTIALLY_PAID")


@dataclass(frozen=True)
class AtPaystack:
    """One payment request in words, and what stands against archiving it; empty: nothing."""

    said: str
    against: str = ""


@dataclass(frozen=True)
class Seen:
    """One invoice as both sides have it; `in_leaseup` is None if it was deleted there."""

    invoice: CancellationTarget
    in_leaseup: InLeaseUp | None
    at_paystack: AtPaystack

    @property
    def against(self) -> str:
        """Why it would stay; empty: it would be cancelled."""
        here = self.in_leaseup
        paid = here is not None and (here.status in _PAID or here.has_payments)
        return _STAYS if paid else self.at_paystack.against


@dataclass(frozen=True)
class CancellationPreview:
    """What a run with `confirm: false` says. Amounts in cents of a rand."""

    seen: tuple[Seen, ...]
    chosen: Chosen

    @property
    def headline(self) -> str:
        """How many would be cancelled, for how much, and how many would not."""
        cancellable = [one.invoice for one in self.seen if not one.against]
        cents = sum(invoice.amount_cents for invoice in cancellable)
        stays = len(self.seen) - len(cancellable) + len(self.chosen.refused)
        said = [
            "This was only a preview: nothing was changed, in LeaseUp or at Paystack.",
            f"confirm: true would cancel {_invoices(len(cancellable))}, {format_rands(cents)}.",
        ]
        if stays:
            said.append(f"{_invoices(stays)} cannot be cancelled: the table says why.")
        if self.chosen.already:
            said.append(f"{_invoices(len(self.chosen.already))} had been cancelled before.")
        said += self.chosen.notes
        if cancellable:
            said.append(
                "To do it, launch again with confirm: true and a reason;"
                " a payment request cannot be brought back."
            )
        return " ".join(said)

    def rows(self) -> list[tuple[str, ...]]:
        """What would be cancelled first, then what would not and why."""
        in_order = sorted(self.seen, key=lambda one: (bool(one.against), one.invoice.key))
        return [
            *(
                _row(one.invoice, _here(one), one.at_paystack.said, one.against or _does(one))
                for one in in_order
            ),
            *(
                _row(invoice, "", "", f"Nothing: cancelled before. {invoice.reason}")
                for invoice in self.chosen.already
            ),
            *((named, *[""] * 6, f"Nothing: {why}") for named, why in self.chosen.refused),
        ]

    def lines(self) -> list[str]:
        """One for each invoice, for the log."""
        return [
            f"Invoice {one.invoice.invoice_id} of lease {one.invoice.key.lease_id}, due"
            f" {one.invoice.key.due_date}, {format_rands(one.invoice.amount_cents)}: LeaseUp:"
            f" {_here(one)}; Paystack: {one.at_paystack.said}. With confirm: true:"
            f" {one.against or _does(one)}"
            for one in self.seen
        ] + [f"{named}: {why}" for named, why in self.chosen.refused]


def ask(
    invoice: CancellationTarget, paystack: PaystackClient, *, without_paystack: bool
) -> AtPaystack:
    """How the payment request stands. Never raises: what Paystack does not say, is said."""
    try:
        request = paystack.fetch_payment_request(invoice.request_code)
    except NotFound as error:
        if without_paystack:
            return AtPaystack("not known under this key")
        return AtPaystack(
            "not known under this key",
            f"Nothing: {error.message}. If PAYSTACK_SECRET_KEY is the key that it was made with,"
            " also set without_paystack: true.",
        )
    except PaystackError as error:
        return AtPaystack("no answer", f"Not known: {error} Launch the check again.")
    amount = format_rands(request.amount_cents)
    if request.has_payments:
        paid = request.amount_paid_cents
        return AtPaystack(f"{amount}, paid {format_rands(paid) if paid else ''}".rstrip(), _STAYS)
    return AtPaystack(f"{amount}, unpaid, {'archived' if request.archived else 'can be paid'}")


def _invoices(count: int) -> str:
    return f"{count} invoice{'' if count == 1 else 's'}"


def _here(one: Seen) -> str:
    if one.in_leaseup is None:
        return "deleted"
    return one.in_leaseup.status + (", with a payment" if one.in_leaseup.has_payments else "")


def _does(one: Seen) -> str:
    here = "its month is closed" if one.in_leaseup is None else "CANCELLED in LeaseUp"
    there = "" if one.at_paystack.said.startswith("not known") else "archived at Paystack, "
    return f"{there}{here}; not billed again by itself."


def _row(invoice: CancellationTarget, here: str, there: str, does: str) -> tuple[str, ...]:
    return (
        invoice.invoice_id,
        invoice.key.lease_id,
        invoice.key.due_date.isoformat(),
        format_rands(invoice.amount_cents),
        here,
        invoice.request_code,
        there,
        does,
    )


def load_preview(
    chosen: Chosen, in_leaseup: dict[str, InLeaseUp], at_paystack: Sequence[AtPaystack]
) -> CancellationPreview:
    """`at_paystack` has one for each of `chosen.invoices`, in their order."""
    both = zip(chosen.invoices, at_paystack, strict=True)
    seen = (Seen(one, in_leaseup.get(one.invoice_id), there) for one, there in both)
    return CancellationPreview(tuple(seen), chosen)
