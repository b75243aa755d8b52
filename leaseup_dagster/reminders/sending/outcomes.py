"""What became of each late invoice and of each tenant, counted so that the sums add up. Pure.

An invoice has several tenants, and a text several invoices: each is counted once, by what matters
most of all that was said of it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from leaseup_dagster.money import format_rands, rands_from_cents
from leaseup_dagster.reminders.keys import Kind, LateInvoices, ReminderDay, ReminderResult

INFORMED = (Kind.TEXTED, Kind.IN_THE_SAME_TEXT)

_WORDS = {
    Kind.PLANNED: "would be texted",
    Kind.IN_THE_SAME_TEXT: "texted",
    Kind.UNKNOWN: "no answer, perhaps sent",
    Kind.ACCOUNT: "problem with the account",
    Kind.BROKEN: "failed on our side",
    Kind.LEFT: "left for the next run",
    Kind.QUIET_HOURS: "held for the quiet hours",
    Kind.REFUSED: "number refused",
}

_OF_INVOICES = {
    Kind.TEXTED: "texted about",
    Kind.PLANNED: "to be texted about once SMS_ENABLED is true",
    Kind.PAID: "paid meanwhile",
    Kind.ACCOUNT: "not texted about for a problem with the account",
    Kind.HELD: "held back",
    Kind.UNREACHABLE: "not texted about because Paystack did not answer",
    Kind.BROKEN: "failed on our side",
    Kind.NOT_SENT: "whose text was not sent",
    Kind.UNKNOWN: "whose text had no answer",
    Kind.REFUSED: "whose number was refused",
    Kind.NO_MOBILE: "without a mobile number",
    Kind.NUMBER_REFUSED_BEFORE: "whose number was refused before",
    Kind.NO_AMOUNT: "with an amount that cannot be read",
    Kind.REQUEST_GONE: "whose payment request is gone",
    Kind.QUIET_HOURS: "held for the quiet hours",
    Kind.TEXTED_TODAY: "of tenants who had a text today",
    Kind.ALREADY_TEXTED: "texted about before",
    Kind.NO_LONGER_LATE: "no longer late",
    Kind.LEFT: "left for the next run",
}
"""After a number of invoices; in the order in which they matter."""

_RANKS = {kind: rank for rank, kind in enumerate(_OF_INVOICES)} | {Kind.IN_THE_SAME_TEXT: 0}


def words(kind: Kind) -> str:
    """What became of it, for a cell of a table."""
    return _WORDS.get(kind) or str(kind.value)


def of_invoices(late: LateInvoices, results: Iterable[ReminderResult]) -> dict[str, int]:
    """How many invoices, by what became of them in words. All that were found late are in it."""
    kinds: dict[str, list[Kind]] = defaultdict(list)
    for result in results:
        kinds[result.invoice_id].append(result.kind)
    found = Counter(_kind(said) for said in kinds.values())
    unsaid = max(0, late.late - late.waiting - late.finished - len(kinds))
    found[Kind.LEFT] += min(late.left, unsaid)
    # The rest were settled between the list and their batch: nothing was due on them any more.
    found[Kind.NO_LONGER_LATE] += unsaid - min(late.left, unsaid)
    said = {_OF_INVOICES[kind]: found[kind] for kind in _OF_INVOICES}
    said |= {
        "waiting for their next reminder": late.waiting,
        "had their last reminder": late.finished,
    }
    return {what: count for what, count in said.items() if count}


def of_tenants(results: Iterable[ReminderResult]) -> dict[Kind, int]:
    """How many tenants were due a text, by what became of it."""
    kinds: dict[str, list[Kind]] = defaultdict(list)
    for result in results:
        for tenant_id in result.tenant_ids:
            kinds[tenant_id].append(result.kind)
    found = Counter(_kind(said) for said in kinds.values())
    return {kind: found[kind] for kind in _OF_INVOICES if found[kind]}


def headline(
    day: ReminderDay,
    late: LateInvoices,
    results: Sequence[ReminderResult],
    owed: int | None,
    after_days: int,
) -> str:
    """Invoices, which add up to those that are late; then tenants and texts.

    `owed`: the cents that are left of what was late as the run began, where they are known.
    """
    invoices = of_invoices(late, results)
    said = ", ".join(f"{count} {what}" for what, count in invoices.items())
    count = sum(invoices.values())
    are = "invoice is" if count == 1 else "invoices are"
    less = owed is not None and owed != late.cents
    still = f" ({format_rands(owed or 0)} still owed)" if less else ""
    first = f"{count} {are} {how_late(after_days)}, {format_rands(late.cents)}{still}"
    invoiced = f"{first}: {said}" if said else first
    return f"Reminders as of {day.as_of}: {invoiced}. {_tenants(results)}"


def how_late(after_days: int) -> str:
    """What makes an invoice one to text about; the arrears begin a day after the due date."""
    return f"more than {_count(after_days, 'day')} late"


def _tenants(results: Sequence[ReminderResult]) -> str:
    found = of_tenants(results)
    if not found:
        return "No tenant was due a text."
    texts = sum(result.kind is Kind.TEXTED for result in results)
    informed, planned = found.pop(Kind.TEXTED, 0), found.pop(Kind.PLANNED, 0)
    said = [f"{_count(texts, 'text')} to {_count(informed, 'tenant')}"]
    if planned:
        said.append(f"{_count(planned, 'tenant')} to be texted once SMS_ENABLED is true")
    if found:
        why = ", ".join(f"{count} {words(kind)}" for kind, count in found.items())
        said.append(f"{_count(sum(found.values()), 'tenant')} not texted: {why}")
    return "; ".join(said) + "."


def numbers(late: LateInvoices, results: Sequence[ReminderResult]) -> dict[str, float]:
    """The few that are plotted; Dagster shows them from A to Z, and this is their order."""
    tenants = of_tenants(results)
    informed = tenants.get(Kind.TEXTED, 0)
    return {
        "late invoices": sum(of_invoices(late, results).values()),
        "late rands": rands_from_cents(late.cents),
        "tenants not texted": sum(tenants.values()) - informed,
        "tenants texted": informed,
    }


def _kind(said: Iterable[Kind]) -> Kind:
    most = min(said, key=_RANKS.__getitem__)
    return Kind.TEXTED if most in INFORMED else most


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
