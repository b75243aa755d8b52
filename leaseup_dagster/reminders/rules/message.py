"""The words of a reminder. Pure.

It says who writes, what is owed for which home, since when and how to pay. It never threatens,
and never names another tenant. A tenant's own words are only ever put in, never read as a template.
"""

from dataclasses import dataclass, replace
from datetime import date

from leaseup_dagster.money import format_rands
from leaseup_dagster.sms.gsm7 import segments, to_gsm7

MAX_SEGMENTS = 2
# Free text is cut to these lengths, one after the other, until the whole fits.
_LENGTHS = (60, 40, 30, 24, 18, 12)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WHAT = {
    "DEPOSIT": "deposit",
    "RENT": "rent",
    "MAINTENANCE": "maintenance",
    "UTILITY_BILL": "utility bill",
    "LEVY": "levy",
    "RATES_AND_TAXES": "rates and taxes",
    "SERVICE_CHARGE": "service charge",
    "WATER_ELECTRICITY": "water and electricity",
}


@dataclass(frozen=True, repr=False)
class Facts:
    """What a reminder is about. Names are as LeaseUp has them; empty where it has none."""

    first_name: str
    landlord: str
    unit: str
    property: str
    category: str
    amount_cents: int
    due_date: date
    days_overdue: int
    link: str
    # How many invoices more the amount is of; the rest is about the oldest.
    more: int = 0


def template_of(facts: Facts, one: str, several: str) -> str:
    """The template for what is late: `one` invoice, or `several`."""
    return several if facts.more else one


def words(template: str, facts: Facts) -> str:
    """The text to send: `template` filled in, in characters that a phone charges least for.

    At most `MAX_SEGMENTS` messages long, by shortening names; longer only when the template
    itself, or a name in another alphabet, is.
    """
    text = ""
    for length in _LENGTHS:
        text = to_gsm7(template.format_map(_values(_shortened(facts, length))))
        if segments(text) <= MAX_SEGMENTS:
            break
    return text


def in_words(day: date) -> str:
    """`1 Nov 2026`, whatever the server's language; 7/8/2026 would be two different days."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def _values(facts: Facts) -> dict[str, str]:
    landlord = facts.landlord or "your landlord"
    place = ", ".join(part for part in (facts.unit, facts.property) if part)
    return {
        "first_name": facts.first_name or "tenant",
        "what": _WHAT.get(facts.category, "invoice"),
        "amount": format_rands(facts.amount_cents),
        "place": place or "your account",
        "due_date": in_words(facts.due_date),
        "days": str(facts.days_overdue),
        "count": str(facts.more + 1),
        "more": str(facts.more),
        "link": facts.link or f"ask {landlord}",
        "landlord": landlord,
    }


def _shortened(facts: Facts, length: int) -> Facts:
    return replace(
        facts,
        first_name=_cut(facts.first_name, length),
        landlord=_cut(facts.landlord, length),
        unit=_cut(facts.unit, length),
        property=_cut(facts.property, length),
    )


def _cut(name: str, length: int) -> str:
    """On one line, in characters a phone knows, at most `length` long."""
    plain = " ".join(to_gsm7(name).split())
    return plain if len(plain) <= length else plain[: length - 1].rstrip() + "."
