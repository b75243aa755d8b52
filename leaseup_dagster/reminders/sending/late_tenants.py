"""The table a person follows up from: who owes how much since when, and what was done about it.
Pure.

A row is a late invoice and one of its tenants, the oldest first. Ids and masked numbers only.
"""

from collections.abc import Iterable, Sequence
from datetime import date

from leaseup_dagster.money import format_rands
from leaseup_dagster.reminders.keys import (
    Kind,
    LastText,
    LateInvoices,
    OverdueInvoice,
    ReminderResult,
)
from leaseup_dagster.reminders.rules.policy import ReminderPolicy, is_finished
from leaseup_dagster.reminders.sending.outcomes import INFORMED, words
from leaseup_dagster.tables import ROWS_SHOWN, Cell

COLUMNS = (
    "due date", "days late", "lease", "tenant", "landlord", "amount owed", "outcome", "why",
    "number", "invoice",
)  # fmt: skip

_LEFT = (words(Kind.LEFT), "The next run texts them.")
_SETTLED = (Kind.PAID, Kind.NO_LONGER_LATE)


def rows(
    late: LateInvoices,
    results: Iterable[ReminderResult],
    policy: ReminderPolicy,
    unsaid: tuple[str, str] = _LEFT,
) -> list[tuple[Cell, ...]]:
    """Each late tenant with what became of it, and the total at the end, each invoice once.

    `unsaid`: outcome and why of those who are due a text and have no result.
    """
    said = _by_reader(results)
    due = set(late.due)
    listed = [_row(late.as_of, one, said, policy, one.invoice_id in due, unsaid)
              for one in late.oldest[: ROWS_SHOWN - 1]]  # fmt: skip
    return [*listed, _total(late, said)] if listed else []


_Said = dict[tuple[str, str], ReminderResult]


def _by_reader(results: Iterable[ReminderResult]) -> _Said:
    """By invoice and tenant; what holds for the whole invoice by an empty tenant."""
    said: _Said = {}
    for result in results:
        for tenant_id in result.tenant_ids or ("",):
            known = said.get((result.invoice_id, tenant_id))
            if known is None or known.kind not in INFORMED:
                said[result.invoice_id, tenant_id] = result
    return said


def _row(
    as_of: date,
    one: OverdueInvoice,
    said: _Said,
    policy: ReminderPolicy,
    is_due: bool,
    unsaid: tuple[str, str],
) -> tuple[Cell, ...]:
    result = _result(one, said)
    if result is not None:
        outcome, why = words(result.kind), _why(result)
    elif is_due and not (one.last and is_finished(policy, one.last)):
        outcome, why = unsaid
    else:
        outcome, why = _not_due(one.last, policy) or unsaid
    return (
        one.due_date.isoformat(),
        (as_of - one.due_date).days,
        one.lease_id,
        one.tenant_id,
        one.landlord_id,
        _rands(_owed(one, said)),
        outcome,
        why,
        result.number if result else "",
        one.invoice_id,
    )


def _result(one: OverdueInvoice, said: _Said) -> ReminderResult | None:
    return said.get((one.invoice_id, one.tenant_id)) or said.get((one.invoice_id, ""))


def _why(result: ReminderResult) -> str:
    said = [f"Reminder {result.step}." if result.step and result.kind in INFORMED else ""]
    said += [f"{result.why}." if result.why else "", result.kind.meaning]
    return " ".join(filter(None, said))


def _not_due(last: LastText | None, policy: ReminderPolicy) -> tuple[str, str] | None:
    if last is None:
        return None
    when = f"Reminder {last.step} was for {last.day}"
    if is_finished(policy, last):
        return "had the last reminder", f"{when}; there are no more: a person should ask."
    return "waiting", f"{when}; the next one is not due yet."


def _owed(one: OverdueInvoice, said: _Said) -> int | None:
    result = _result(one, said)
    return 0 if result is not None and result.kind in _SETTLED else one.due_cents


def owed(late: LateInvoices, results: Iterable[ReminderResult]) -> int | None:
    """The cents that are left of all late invoices; None where not all of them are listed."""
    return _still_owed(late, _by_reader(results))


def _still_owed(late: LateInvoices, said: _Said) -> int | None:
    shown = late.oldest[: ROWS_SHOWN - 1]
    cents = {one.invoice_id: _owed(one, said) or 0 for one in shown}
    whole = len(cents) == late.late and len(shown) == len(late.oldest)
    return sum(cents.values()) if whole else None


def _total(late: LateInvoices, said: _Said) -> tuple[Cell, ...]:
    """As the run found it, if not all of it is listed."""
    still = _still_owed(late, said)
    if still is not None:
        what, cents = "total, each invoice once", still
    else:
        what, cents = f"total of all {late.late} late invoices, as the run began", late.cents
    return (what, "", "", "", "", format_rands(cents), "", "", "", "")


def _rands(cents: int | None) -> str:
    return "" if cents is None else format_rands(cents)


def skipped(listed: Sequence[tuple[Cell, ...]], informed: str) -> list[tuple[Cell, ...]]:
    """The rows of those who get no text: whose outcome is not `informed`."""
    return [row for row in listed if row[COLUMNS.index("outcome")] not in (informed, "")]
