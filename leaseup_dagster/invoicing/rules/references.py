"""The reference of one billing of one month: derived from it, printed on it, found by it. Pure.

The planning statement derives the same in SQL; a test holds the two together.
"""

import re
from datetime import date
from hashlib import sha256

from leaseup_dagster.as_of import johannesburg_date
from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.paystack.models import PaymentRequest

MOST_BILLINGS = 9
"""A month is billed once, and once more each time a person cancels it and asks again."""

_REFERENCE = re.compile(r"(?<![\w-])LU-[0-9A-F]{20}(?![\w-])")


def reference_of(key: LedgerKey, billing: int) -> str:
    """The reference of the `billing`-th payment request of a month."""
    digest = sha256(f"{key.lease_id}|{key.due_date.isoformat()}|{billing}".encode()).hexdigest()
    return f"LU-{digest[:20].upper()}"


def billing_of(key: LedgerKey, reference: str) -> int | None:
    """Which billing of the month the reference is of; None: of another month."""
    billings = range(1, MOST_BILLINGS + 1)
    return next((n for n in billings if reference_of(key, n) == reference), None)


def reference_in(request: PaymentRequest) -> str | None:
    """Our reference in its metadata or description; None: it is somebody else's request."""
    for text in (request.metadata.get("reference", ""), request.description):
        found = _REFERENCE.search(text)
        if found:
            return found[0]
    return None


def month_in(request: PaymentRequest) -> LedgerKey | None:
    """The month its metadata names, if its reference is of that month."""
    reference = reference_in(request)
    try:
        due_date = date.fromisoformat(request.metadata.get("due_date", ""))
    except ValueError:
        return None
    key = LedgerKey(due_date, request.metadata.get("lease_id", ""))
    return key if reference and billing_of(key, reference) else None


def due_date_in(request: PaymentRequest) -> date | None:
    """The day its rent is due. What is sent is the last second of that day in Johannesburg."""
    return johannesburg_date(request.due_date) if request.due_date else None
