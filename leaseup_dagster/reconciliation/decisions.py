"""What is to be done about the payment requests of one month. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from leaseup_dagster.invoicing.payments.receipts import OPEN
from leaseup_dagster.paystack.models import PaymentRequest


@dataclass(frozen=True)
class MonthInvoice:
    """A rent invoice of the month in LeaseUp, with the references of its recorded payments."""

    invoice_id: str
    status: str
    request_code: str
    payments: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Decision:
    """What to do about the payment requests of one month.

    In this order: `adopt` becomes the month's invoice; `pays` is recorded on the invoice
    `invoice_id`, or on the adopted one; then `archive`. `ask` is what a person must decide.
    """

    adopt: PaymentRequest | None = None
    invoice_id: str | None = None
    pays: PaymentRequest | None = None
    archive: tuple[PaymentRequest, ...] = ()
    ask: str = ""


def decide(requests: Sequence[PaymentRequest], invoices: Sequence[MonthInvoice]) -> Decision:
    """`requests` were fetched: all of the month that carry our reference, and the one its invoice
    points at. Of several the paid one stays, else the one the invoice points at, else the oldest.
    """
    live = [invoice for invoice in invoices if invoice.status != "CANCELLED"]
    if len(live) > 1:
        ids = ", ".join(invoice.invoice_id for invoice in live)
        return Decision(ask=f"LeaseUp has {len(live)} invoices for the month ({ids}): cancel one")
    cancelled = {invoice.request_code for invoice in invoices if invoice.status == "CANCELLED"}
    others = [r for r in requests if r.request_code not in cancelled]
    if live:
        return _beside(live[0], requests)
    if not others:
        return _of_a_cancelled_month(requests, invoices)
    stays = min(others, key=lambda r: (not _holds_money(r), bool(r.archived), r.id))
    rest = _archivable([r for r in requests if r is not stays])
    pays = stays if _holds_money(stays) else None
    return Decision(adopt=stays, pays=pays, archive=rest, ask=_paid_beside(stays, requests))


def _beside(invoice: MonthInvoice, requests: Sequence[PaymentRequest]) -> Decision:
    """The month has its invoice; what of the requests it does not point at?"""
    own = next((r for r in requests if r.request_code == invoice.request_code), None)
    extra = [r for r in requests if r is not own]
    paid = [r for r in extra if _holds_money(r)]
    if paid and not _is_paid(invoice, own):
        # The tenant has paid by the other one. The invoice's own is archived once that is
        # recorded: left open, it could be paid a second time.
        rest = _archivable([r for r in requests if r is not paid[0]])
        ask = _paid_beside(paid[0], extra)
        return Decision(invoice_id=invoice.invoice_id, pays=paid[0], archive=rest, ask=ask)
    if paid and not all(_recorded(r, invoice) for r in paid):
        return Decision(ask=_twice(paid))
    if own is not None and own.archived and any(_can_be_paid(r) for r in extra):
        return Decision(
            ask="its invoice's payment request is archived, and another can be paid: archive that"
            " one in Paystack's dashboard, or cancel the invoice in LeaseUp to have it adopted"
        )
    return Decision(archive=_archivable(extra), ask=_part_paid(extra))


def _of_a_cancelled_month(
    requests: Sequence[PaymentRequest], invoices: Sequence[MonthInvoice]
) -> Decision:
    """What is cancelled must not stay payable; money on it is a question for a person."""
    of = {invoice.request_code: invoice.invoice_id for invoice in invoices}
    with_money = next((r for r in requests if r.has_payments and r.request_code in of), None)
    return Decision(
        invoice_id=of[with_money.request_code] if with_money else None,
        pays=with_money,
        archive=_archivable(requests),
    )


def _archivable(requests: Iterable[PaymentRequest]) -> tuple[PaymentRequest, ...]:
    """Never one with money on it."""
    return tuple(r for r in requests if _can_be_paid(r) and not r.has_payments)


def _can_be_paid(request: PaymentRequest) -> bool:
    return not request.paid and not request.archived


def _holds_money(request: PaymentRequest) -> bool:
    """Paid, and not given back: a transaction that was refunded is no longer a success."""
    kept = [t for t in request.transactions if t.status == "success"]
    return request.paid and bool(kept or not request.transactions)


def _is_paid(invoice: MonthInvoice, own: PaymentRequest | None) -> bool:
    return invoice.status not in OPEN or (own is not None and _holds_money(own))


def _recorded(request: PaymentRequest, invoice: MonthInvoice) -> bool:
    own = {t.reference for t in request.transactions}
    return bool((own | {request.request_code, request.offline_reference}) & invoice.payments)


def _paid_beside(stays: PaymentRequest, requests: Iterable[PaymentRequest]) -> str:
    paid = [r for r in requests if _holds_money(r) and r is not stays]
    return _twice([stays, *paid]) if paid else _part_paid(r for r in requests if r is not stays)


def _twice(paid: Sequence[PaymentRequest]) -> str:
    codes = ", ".join(r.request_code for r in paid)
    return f"the month was paid more than once ({codes}): give the money of one back"


def _part_paid(requests: Iterable[PaymentRequest]) -> str:
    part = [r.request_code for r in requests if r.has_payments and not r.paid]
    return f"{', '.join(part)} is paid in part, beside the month's invoice" if part else ""
