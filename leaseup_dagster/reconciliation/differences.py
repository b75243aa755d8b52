"""Two lists in, named differences out. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.paystack.models import PaymentRequest

OURS = "ZAR"


class Name(Enum):
    """How Paystack and our books differ about one payment request."""

    WITHOUT_INVOICE = "without invoice"  # no invoice in LeaseUp points at it
    PAID = "paid"  # at Paystack; LeaseUp has its invoice still open, or other payments
    AMOUNT = "amount differs"
    CANCELLED = "cancelled"  # its invoice is; whether it can still be paid must be asked
    SETTLED = "settled"  # its invoice was paid otherwise; can this be paid as well?


@dataclass(frozen=True)
class Held:
    """What our books hold of a payment request: the invoice that points at it."""

    invoice_id: str
    status: str
    amount_cents: int
    key: LedgerKey | None
    # What LeaseUp has recorded as paid on it, and as paid otherwise on its invoice.
    recorded_cents: int = 0
    otherwise_cents: int = 0
    # It was seen archived: nobody can pay it any more.
    archived: bool = False


@dataclass(frozen=True)
class Difference:
    """`key` is None where neither the ledger nor the request says whose month it is."""

    name: Name
    reference: str
    request: PaymentRequest = field(repr=False)
    held: Held | None = None
    key: LedgerKey | None = None


def compare(
    requests: Mapping[str, PaymentRequest],
    held: Mapping[str, Held],
    references: Mapping[str, str],
    months: Mapping[str, LedgerKey],
) -> list[Difference]:
    """The differences, one for each reference without an invoice.

    All by request code: Paystack's requests, and the invoices that point at them. `references` is
    each request's own; `months` is each reference's month, as far as it is known.
    """
    found: dict[tuple[str, str], Difference] = {}
    for code, request in requests.items():
        reference, invoice = references[code], held.get(code)
        name = _name(request, invoice)
        if name is None:
            continue
        key = (invoice.key if invoice else None) or months.get(reference)
        # Several without an invoice are one question: they are examined together.
        about = reference if name is Name.WITHOUT_INVOICE else code
        found.setdefault((name.value, about), Difference(name, reference, request, invoice, key))
    return list(found.values())


def _name(request: PaymentRequest, invoice: Held | None) -> Name | None:
    if invoice is None:
        return Name.WITHOUT_INVOICE
    if invoice.status == "CANCELLED":
        return Name.CANCELLED if request.paid or not invoice.archived else None
    agreed = (
        invoice.status == "PAID"
        and invoice.recorded_cents == request.amount_cents
        and invoice.recorded_cents + invoice.otherwise_cents <= invoice.amount_cents
    )
    # A list does not say what was paid in part: it is asked.
    in_part = invoice.status == "PARTIALLY_PAID"
    if in_part or (request.paid and not agreed):
        return Name.PAID
    if invoice.status == "PAID" and not request.paid and not invoice.archived:
        return Name.SETTLED
    if request.amount_cents != invoice.amount_cents or request.currency not in ("", OURS):
        return Name.AMOUNT
    return None
