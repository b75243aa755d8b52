"""What a run says it did: counts, and rows for people. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from leaseup_dagster.invoicing.creation.protocol import Outcome
from leaseup_dagster.invoicing.keys import (
    BatchReport,
    Compared,
    InvoicePlan,
    InvoiceResult,
    LedgerKey,
)
from leaseup_dagster.invoicing.planning.report import (
    ALL_LANDLORDS,
    count_invoices,
    skipped_in_words,
)
from leaseup_dagster.money import format_rands, rands_from_cents

BILLED_COLUMNS = ("lease", "landlord", "due date", "amount", "payment request", "invoice", "note")
FAILED_COLUMNS = ("lease", "landlord", "due date", "amount", "state", "why", "what happens next")
LANDLORD_COLUMNS = ("landlord", "invoices", "billed", "not created")

_NEXT = {
    "planned": "The next run sends it.",
    "requesting": "The next run searches for it at Paystack before anything else.",
    "refused": "Put right what is named; every run tries it again.",
}


@dataclass(frozen=True)
class InvoicingReport:
    """The state of every month this run worked on. Amounts in cents of a rand."""

    billed: tuple[InvoiceResult, ...]
    withdrawn: tuple[InvoiceResult, ...]
    failed: tuple[InvoiceResult, ...]

    @classmethod
    def of(cls, reports: Sequence[BatchReport]) -> "InvoicingReport":
        """The last word on each month: later reports come after earlier ones.

        Where nothing has changed since, the earlier one knows better why, if it knows at all.
        """
        results: dict[LedgerKey, InvoiceResult] = {}
        for result in (result for report in reports for result in report.results):
            earlier = results.get(result.key)
            if earlier is None or earlier.state != result.state or not earlier.error:
                results[result.key] = result
        left = {key for report in reports for key in report.left}
        in_order = [results[key] for key in sorted(results)]
        return cls(
            billed=tuple(r for r in in_order if r.state == "invoiced"),
            withdrawn=tuple(r for r in in_order if r.state == "cancelled"),
            failed=tuple(
                r
                for r in in_order
                if r.state == "refused"
                or (r.state not in ("invoiced", "cancelled") and r.key not in left)
            ),
        )

    @property
    def total_cents(self) -> int:
        """What was billed, in cents."""
        return sum(result.amount_cents for result in self.billed)

    @property
    def adopted(self) -> int:
        """How many of the invoices were found at Paystack and not sent by this attempt."""
        return sum(result.adopted for result in self.billed)


def undecided(reports: Iterable[BatchReport]) -> set[LedgerKey]:
    """Months that had no end state when their batch ended; another run may have one by now."""
    return undecided_among(result for report in reports for result in report.results)


def undecided_among(results: Iterable[InvoiceResult]) -> set[LedgerKey]:
    """Months without an end state: planned, or requesting."""
    return {result.key for result in results if result.state in ("planned", "requesting")}


def landlord_rows(report: InvoicingReport) -> list[tuple[str, int, str, int]]:
    """What went out for each landlord, the most first, after the sum of all."""
    failed = Counter(result.landlord_id for result in report.failed)
    invoices, cents = _sums((one.landlord_id, one.amount_cents) for one in report.billed)
    everyone = sorted({*invoices, *failed}, key=lambda who: (-cents[who], who))
    rows = [(who, invoices[who], format_rands(cents[who]), failed[who]) for who in everyone]
    everything = (ALL_LANDLORDS, invoices.total(), format_rands(cents.total()), failed.total())
    return [everything, *rows] if rows else []


def _sums(amounts: Iterable[tuple[str, int]]) -> tuple[Counter[str], Counter[str]]:
    """How many there are of each landlord, and their cents."""
    count, cents = Counter[str](), Counter[str]()
    for landlord_id, amount in amounts:
        count[landlord_id] += 1
        cents[landlord_id] += amount
    return count, cents


def billed_rows(
    results: Iterable[InvoiceResult],
) -> list[tuple[str, str, str, str, str, str, str]]:
    """A row for each invoice, in the order of `BILLED_COLUMNS`."""
    return [
        (
            result.key.lease_id,
            result.landlord_id,
            result.key.due_date.isoformat(),
            format_rands(result.amount_cents),
            result.request_code or "",
            result.invoice_id or "",
            "found at Paystack, made by an earlier attempt" if result.adopted else "",
        )
        for result in results
    ]


def failed_rows(
    results: Iterable[InvoiceResult],
) -> list[tuple[str, str, str, str, str, str, str]]:
    """A row for each month that failed, in the order of `FAILED_COLUMNS`."""
    return [
        (
            result.key.lease_id,
            result.landlord_id,
            result.key.due_date.isoformat(),
            format_rands(result.amount_cents),
            result.state,
            result.error or "",
            _NEXT.get(result.state, ""),
        )
        for result in results
    ]


def created_line(result: InvoiceResult) -> str:
    """The log's line about one new invoice."""
    found = " (found at Paystack, made by an earlier attempt)" if result.adopted else ""
    return (
        f"Created new invoice lease_id={result.key.lease_id} due_date={result.key.due_date}"
        f" invoice_id={result.invoice_id} request_code={result.request_code}"
        f" amount_cents={result.amount_cents}{found}"
    )


def remembered_line(compared: Compared) -> str:
    """The log's line about payment requests that the ledger did not know."""
    return (
        f"Paystack has {compared.remembered} payment requests of ours that the ledger did not know,"
        " as after a restored backup. They are adopted, none is made again."
    )


def failed_line(outcome: Outcome) -> str:
    """The log's line about one month that failed."""
    return (
        f"Failed to create invoice lease_id={outcome.key.lease_id}"
        f" due_date={outcome.key.due_date}: {outcome.why}"
    )


def nothing_done(plan: InvoicePlan, report: InvoicingReport, left: int) -> str | None:
    """Why a run in which nothing failed is none to be content with, or None."""
    if report.billed or not plan.to_bill or not left:
        return None
    if plan.only:
        return (
            f"Lease {plan.only.lease_id} was not billed: another run is working on it, or the"
            " run was out of time. Launch it again."
        )
    return (
        f"Not one of {left} invoices was created: another run is working on them, or the"
        " time was up before the first. Launch it again, and check this run's log if that does not"
        " help."
    )


def summary(plan: InvoicePlan, report: InvoicingReport, left: int) -> str:
    """The run in one line, for the log and the terminal."""
    found = report.adopted
    again = f" ({found} found at Paystack, made by an earlier attempt)" if found else ""
    parts = [
        f"{count_invoices(len(report.billed))} for {format_rands(report.total_cents)}{again}",
        f"{len(report.failed)} not created",
        *([f"{left} left for the next run"] if left else []),
        *([f"{len(report.withdrawn)} no longer due"] if report.withdrawn else []),
        skipped_in_words(plan),
    ]
    return f"Invoicing as of {plan.as_of}: " + "; ".join(parts)


def numbers(plan: InvoicePlan, report: InvoicingReport) -> dict[str, float]:
    """The few that are plotted; Dagster shows them from A to Z, and this is their order."""
    return {
        "billed invoices": len(report.billed),
        "billed rands": rands_from_cents(report.total_cents),
        "failed invoices": len(report.failed),
        "skipped leases": sum(skipped.leases for skipped in plan.skipped),
    }


def also(
    plan: InvoicePlan, report: InvoicingReport, left: int, customers_made: int
) -> dict[str, str]:
    """What is good to know and makes no plot, so it is text."""
    said: dict[str, int | str] = {
        "found at Paystack": report.adopted,
        "withdrawn": len(report.withdrawn),
        "left for the next run": left,
        "total": format_rands(report.total_cents),
        "customers made": customers_made,
        "without a split group": plan.without_split_count,
        "leases without a split group": ", ".join(plan.without_split),
    }
    return {name: str(value) for name, value in said.items()}


def in_words(report: InvoicingReport) -> str:
    """Every failure with its lease id and reason, one per line."""
    lines = [
        f"lease_id={r.key.lease_id} due_date={r.key.due_date} ({r.state}): {r.error or 'unknown'}"
        for r in report.failed
    ]
    more = f"\n… and {len(lines) - 50} more" if len(lines) > 50 else ""
    return f"{len(lines)} invoices were not created:\n" + "\n".join(lines[:50]) + more


def explain_hint(done: InvoicingReport) -> str:
    """How to have one of these leases explained: the config to paste into the Launchpad."""
    first = next((r.key.lease_id for r in (*done.failed, *done.billed)), "the lease's id")
    return (
        "One lease's whole timeline, and why it was billed or not: launch explain_lease with"
        f' `ops: {{explain_one_lease: {{config: {{lease_id: "{first}"}}}}}}`'
    )
