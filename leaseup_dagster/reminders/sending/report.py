"""What a run says it did: counts, lines and rows for people. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence

from leaseup_dagster.reminders.keys import Kind, ReminderResult
from leaseup_dagster.reminders.sending import outcomes

FAILED_COLUMNS = ("invoice", "tenants", "step", "number", "what", "why", "what happens next")
LEFT_OVER = "left for the next run"
"""Beside this name a run's report has how many texts that are due it had no time for."""

_LINES = 50


def counts(results: Iterable[ReminderResult]) -> dict[str, int]:
    """How many of each kind, most important first."""
    found = Counter(result.kind for result in results)
    return {kind.value: found[kind] for kind in Kind if found[kind]}


def failed(results: Iterable[ReminderResult]) -> list[ReminderResult]:
    """The texts that were due and did not go out, or may not have."""
    return [r for r in results if r.kind.failed]


def failed_rows(
    results: Iterable[ReminderResult],
) -> list[tuple[str, str, int, str, str, str, str]]:
    """A row for each of them, in the order of `FAILED_COLUMNS`."""
    return [
        (
            r.invoice_id,
            ", ".join(r.tenant_ids),
            r.step or 0,
            r.number,
            outcomes.words(r.kind),
            r.why,
            r.kind.meaning,
        )
        for r in failed(results)
    ]


def lines(results: Iterable[ReminderResult]) -> list[str]:
    """One for each text that went out or failed, and each invoice found paid."""
    return [line for result in results if (line := _line(result))]


def _line(result: ReminderResult) -> str:
    about = (
        f"invoice_id={result.invoice_id} tenant_ids={','.join(result.tenant_ids)}"
        f" step={result.step} number={result.number} amount_cents={result.amount_cents}"
    )
    if result.kind is Kind.TEXTED:
        return f"SMS notification sent {about} message_id={result.message_id}"
    if result.kind is Kind.PLANNED:
        return f"SMS notification planned, not sent (SMS_ENABLED is false) {about}"
    if result.kind is Kind.PAID:
        return f"Paid meanwhile, not texted invoice_id={result.invoice_id}"
    if result.kind.failed:
        return f"Failed to send SMS notification {about} ({result.kind.value}): {result.why}"
    return ""


def in_words(results: Sequence[ReminderResult]) -> str:
    """Why the run fails: every text that is due and did not go out, one per line."""
    due = [r for r in results if r.kind.fails_the_run]
    shown = [f"{_whom(r)} ({r.kind.value}): {r.why or r.kind.meaning}" for r in due[:_LINES]]
    more = f"\n… and {len(due) - _LINES} more" if len(due) > _LINES else ""
    causes = dict.fromkeys(r.why for r in due if r.kind in (Kind.ACCOUNT, Kind.HELD) and r.why)
    first = "".join(f"{cause}\n" for cause in causes)
    return f"{first}{len(due)} texts that are due were not sent:\n" + "\n".join(shown) + more


def fails(results: Iterable[ReminderResult]) -> bool:
    """Whether the run is to fail."""
    return any(result.kind.fails_the_run for result in results)


def _whom(result: ReminderResult) -> str:
    tenants = ",".join(result.tenant_ids)
    named = f"invoice_id={result.invoice_id}" + (f" tenant_ids={tenants}" if tenants else "")
    return f"{named}: {result.why}" if result.why and not result.kind.failed else named
