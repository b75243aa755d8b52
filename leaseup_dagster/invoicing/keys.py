"""The small values that travel between the invoicing steps: ids, dates, cents; nobody's data."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import zip_longest

from leaseup_dagster.batching import Place


@dataclass(frozen=True, order=True)
class LedgerKey:
    """One month of one lease: what is billed once."""

    due_date: date
    lease_id: str


@dataclass(frozen=True)
class Eligibility:
    """What is to become of one month: an invoice, or nothing for a `reason`."""

    key: LedgerKey
    reason: str | None
    amount_cents: int | None
    # What belongs to some reasons: the cents that were billed and the rent's, or another lease.
    note: str | None = None
    landlord_id: str = ""


@dataclass(frozen=True)
class Billed:
    """What some months come to. Amounts in cents of a rand."""

    invoices: int = 0
    cents: int = 0

    def __add__(self, other: "Billed") -> "Billed":
        return Billed(self.invoices + other.invoices, self.cents + other.cents)


@dataclass(frozen=True)
class Skipped:
    """How many leases were skipped for one reason, and the first of them."""

    reason: str
    leases: int
    examples: tuple[LedgerKey, ...] = ()
    # Of each example, as in `Eligibility`; empty: none.
    notes: tuple[str, ...] = ()

    @classmethod
    def together(cls, parts: Sequence["Skipped"], listed: int) -> "Skipped":
        """What several parts of the portfolio skipped for one and the same reason."""
        noted = sorted(pair for part in parts for pair in part.noted)[:listed]
        leases = sum(part.leases for part in parts)
        examples, notes = tuple(key for key, _ in noted), tuple(note for _, note in noted)
        return cls(parts[0].reason, leases, examples, notes)

    @property
    def noted(self) -> list[tuple[LedgerKey, str]]:
        """Each example with its note."""
        return list(zip_longest(self.examples, self.notes, fillvalue=""))  # type: ignore[arg-type]


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

    @classmethod
    def together(cls, plans: Sequence["InvoicePlan"], listed: int) -> "InvoicePlan":
        """The plan of several parts of the portfolio; at most `listed` examples of anything."""
        if len(plans) == 1:
            return plans[0]
        without_split = sorted(lease for plan in plans for lease in plan.without_split)
        by_reason: dict[str, list[Skipped]] = {}
        for skipped in (skipped for plan in plans for skipped in plan.skipped):
            by_reason.setdefault(skipped.reason, []).append(skipped)
        return cls(
            as_of=plans[0].as_of,
            automatic_leases=sum(plan.automatic_leases for plan in plans),
            to_bill=sum(plan.to_bill for plan in plans),
            new=sum(plan.new for plan in plans),
            total_cents=sum(plan.total_cents for plan in plans),
            without_split=tuple(without_split[:listed]),
            without_split_count=sum(plan.without_split_count for plan in plans),
            skipped=tuple(
                Skipped.together(parts, listed) for _, parts in sorted(by_reason.items())
            ),
        )


@dataclass(frozen=True)
class Compared:
    """What a check Paystack found, before a step sends anything.

    `hold` is why nothing may be sent, because there was no answer; `retry`: there may be one soon.
    `run_id` is the run that checked: what it found holds for no other.
    """

    remembered: int = 0
    hold: str = ""
    retry: bool = False
    run_id: str = ""


@dataclass(frozen=True)
class InvoiceBatch:
    """The months one step bills."""

    as_of: date
    place: Place
    keys: tuple[LedgerKey, ...]
    compared: Compared = Compared()


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
    landlord_id: str = ""

    def with_error(self, why: str | None) -> "InvoiceResult":
        """The same, with the reason this run has for it; an older one of the ledger gives way."""
        return self if self.state == "invoiced" or not why else replace(self, error=why)


@dataclass(frozen=True)
class BatchReport:
    """How every month of a batch stands; those in `left` have not failed, but wait for a run."""

    results: tuple[InvoiceResult, ...]
    left: frozenset[LedgerKey] = frozenset()
