"""The small values that travel between the invoicing steps: ids, dates, cents; nobody's data."""

from dataclasses import dataclass, replace
from datetime import date

from leaseup_dagster.batching import Place


@dataclass(frozen=True, order=True)
class LedgerKey:
    """One month of one lease: what is billed once."""

    due_date: date
    lease_id: str


@dataclass(frozen=True)
class Verdict:
    """What is to become of one month: an invoice, or nothing for a `reason`."""

    key: LedgerKey
    reason: str | None
    amount_cents: int | None


@dataclass(frozen=True)
class Skipped:
    """How many leases were skipped for one reason, and the first of them."""

    reason: str
    leases: int
    examples: tuple[LedgerKey, ...] = ()


@dataclass(frozen=True)
class InvoicePlan:
    """What a run is going to bill, and whom it skips. Amounts in cents of a rand."""

    as_of: date
    automatic_leases: int
    to_bill: int
    # Those of them that no earlier plan had, and that no person has let pass.
    new: int
    total_cents: int
    without_split: tuple[str, ...]
    without_split_count: int
    skipped: tuple[Skipped, ...]
    # The months of this plan alone, when a person asked for one lease.
    only: LedgerKey | None = None


@dataclass(frozen=True)
class Compared:
    """What a look at Paystack before the first request found.

    `hold` is why nothing may be sent, because there was no answer; `retry`: there may be one soon.
    """

    remembered: int = 0
    hold: str = ""
    retry: bool = False


@dataclass(frozen=True)
class InvoiceBatch:
    """The months one step bills."""

    as_of: date
    place: Place
    keys: tuple[LedgerKey, ...]
    # Why none of them may be sent in this run; empty: they may.
    hold: str = ""


@dataclass(frozen=True)
class InvoiceResult:
    """How one month stands in the ledger when its step ends."""

    key: LedgerKey
    state: str
    amount_cents: int
    adopted: bool = False
    invoice_id: str | None = None
    request_code: str | None = None
    error: str | None = None

    def with_error(self, why: str | None) -> "InvoiceResult":
        """The same, with the reason this run has for it; an older one of the ledger gives way."""
        return self if self.state == "invoiced" or not why else replace(self, error=why)


@dataclass(frozen=True)
class BatchReport:
    """How every month of a batch stands; those in `left` have not failed, but wait for a run."""

    results: tuple[InvoiceResult, ...]
    left: frozenset[LedgerKey] = frozenset()
