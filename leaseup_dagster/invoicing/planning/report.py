"""What a plan and a preview of it show: counts, and rows for people. No I/O."""

from collections.abc import Iterable, Mapping, Sequence

from leaseup_dagster.invoicing.keys import Billed, Eligibility, InvoicePlan, LedgerKey
from leaseup_dagster.invoicing.rules import skip_reasons
from leaseup_dagster.invoicing.rules.skip_reasons import SkipReason, of_note
from leaseup_dagster.money import format_rands
from leaseup_dagster.tables import Section

SKIPPED_COLUMNS = ("reason", "leases", "what it means", "leases to check")
PREVIEW_COLUMNS = ("lease", "landlord", "due date", "amount")
PREVIEW_SKIPPED_COLUMNS = ("lease", "landlord", "due date", "reason", "what it means")
PREVIEW_LANDLORD_COLUMNS = ("landlord", "invoices", "would bill")
ALL_LANDLORDS = "all landlords"


def skipped_in_words(plan: InvoicePlan) -> str:
    """`17 leases skipped: 16 billed already, 1 not active`."""
    skipped = sorted(plan.skipped, key=lambda one: -one.leases)
    said = ", ".join(f"{one.leases} {SkipReason(one.reason).words}" for one in skipped)
    count = sum(one.leases for one in skipped)
    leases = f"{count} lease{'' if count == 1 else 's'} skipped"
    return f"{leases}: {said}" if said else leases


def skipped_rows(plan: InvoicePlan) -> list[tuple[str, int, str, str]]:
    """A row for each reason, with the leases a person should check."""
    return [
        (
            skipped.reason,
            skipped.leases,
            SkipReason(skipped.reason).meaning,
            ", ".join(_noted(skipped.reason, *example) for example in skipped.noted),
        )
        for skipped in plan.skipped
    ]


def _noted(reason: str, key: LedgerKey, note: str) -> str:
    about = of_note(reason, note)
    return f"{key.lease_id} ({about})" if about else key.lease_id


def preview_rows(bill: Iterable[Eligibility]) -> list[tuple[str, str, str, str]]:
    """A row for each month that would be billed, in the order of `PREVIEW_COLUMNS`."""
    return [
        (
            v.key.lease_id,
            v.landlord_id,
            v.key.due_date.isoformat(),
            format_rands(v.amount_cents or 0),
        )
        for v in bill
    ]


def preview_skipped_rows(skip: Iterable[Eligibility]) -> list[tuple[str, str, str, str, str]]:
    """A row for each skipped lease, in the order of `PREVIEW_SKIPPED_COLUMNS`."""
    return [
        (
            v.key.lease_id,
            v.landlord_id,
            v.key.due_date.isoformat(),
            v.reason,
            skip_reasons.in_words(v.reason, v.note),
        )
        for v in skip
        if v.reason
    ]


def preview_landlord_rows(landlords: Mapping[str, Billed]) -> list[tuple[str, int, str]]:
    """What would be billed for each landlord, the most first, after the sum of all."""
    total = sum(landlords.values(), Billed())
    everyone = sorted(landlords.items(), key=lambda one: (-one[1].cents, one[0]))
    rows = [(who, sum_.invoices, format_rands(sum_.cents)) for who, sum_ in everyone]
    return [(ALL_LANDLORDS, total.invoices, format_rands(total.cents)), *rows] if rows else []


def preview_sections(
    plan: InvoicePlan,
    bill: Sequence[Eligibility],
    skip: Sequence[Eligibility],
    landlords: Mapping[str, Billed],
) -> dict[str, Section]:
    """The preview as tables; `bill` may be only the first of what would be billed, `landlords` has
    all of it."""
    return {
        "by landlord": (PREVIEW_LANDLORD_COLUMNS, preview_landlord_rows(landlords)),
        "would bill": (PREVIEW_COLUMNS, preview_rows(bill)),
        "would skip": (PREVIEW_SKIPPED_COLUMNS, preview_skipped_rows(skip)),
        "skipped by reason": (SKIPPED_COLUMNS, skipped_rows(plan)),
    }


def preview_summary(plan: InvoicePlan) -> str:
    """The preview in one line, for the log, the terminal and the top of the page."""
    return (
        f"Would bill {count_invoices(plan.to_bill)} for {format_rands(plan.total_cents)} as of"
        f" {plan.as_of}; {skipped_in_words(plan)}. Nothing was written, nobody was called."
    )


def preview_lines(
    plan: InvoicePlan, bill: Sequence[Eligibility], skip: Sequence[Eligibility]
) -> list[str]:
    """The preview for a terminal: every month shown, and how many are not."""
    lines = [f"Would bill {' '.join(row)}" for row in preview_rows(bill)]
    lines += [
        f"Would skip {v.key.lease_id} {v.key.due_date}: {SkipReason(v.reason).words}"
        for v in skip
        if v.reason
    ]
    more = (
        ("would be billed", plan.to_bill - len(bill)),
        ("would be skipped", sum(s.leases for s in plan.skipped) - len(skip)),
    )
    return lines + [f"… and {count} more {what}" for what, count in more if count > 0]


def count_invoices(count: int) -> str:
    """`1 invoice`, `2 invoices`."""
    return f"{count} invoice{'' if count == 1 else 's'}"
