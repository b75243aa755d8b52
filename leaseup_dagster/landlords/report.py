"""What a run says of the e-mails: counts, and landlords by id. Pure."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from leaseup_dagster.landlords.news import Kind, News
from leaseup_dagster.tables import Cell

COLUMNS = ("landlord", "e-mail", "tries", "why")
NEWS_COLUMNS = ("landlord", "payments", "invoices", "overdue", "leases that end", "to put right")
STANDS = ("notified", "unknown", "refused", "deferred")
"""How an e-mail may stand when its run is over."""

_WORDS = {"sent": "notified", "sending": "under way"}
_ORDER = (Kind.PAYMENT, Kind.INVOICE, Kind.OVERDUE, Kind.ENDING, Kind.WRONG)


def counts(rows: Sequence[Any]) -> dict[str, int]:
    """How many e-mails of the day stand how."""
    found = Counter(_WORDS.get(row.state, row.state) for row in rows)
    return {word: found[word] for word in STANDS if found[word]}


def table_rows(rows: Sequence[Any]) -> list[tuple[Cell, ...]]:
    """Those first that somebody should check."""
    ordered = sorted(rows, key=lambda row: (row.state == "sent", row.landlord_id))
    return [
        (row.landlord_id, _WORDS.get(row.state, row.state), row.attempts, row.why or "")
        for row in ordered
    ]


def news_rows(news: Sequence[News]) -> list[tuple[Cell, ...]]:
    """How many of what each would get."""
    return [(one.landlord.id, *(len(one.of(kind)) for kind in _ORDER)) for one in news]


def headline(as_of: object, counted: dict[str, int], *, began: bool) -> str:
    """How many landlords were notified, and how many not, in one line."""
    if began:
        return (
            f"Landlords as of {as_of}: the first run. What there is counts as notified; from now on"
            " each is notified of what is new"
        )
    said = ", ".join(f"{number} {word}" for word, number in counted.items())
    return f"Landlords as of {as_of}: {said or 'nobody had news'}"
