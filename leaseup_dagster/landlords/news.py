"""The small values of an e-mail, and their order in it. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import Enum
from itertools import groupby


class Kind(str, Enum):
    """A section of the e-mail; the value is kept with what was notified."""

    INVOICE = "invoice"
    PAYMENT = "payment"
    OVERDUE = "overdue"
    ENDING = "ending"
    WRONG = "wrong"


@dataclass(frozen=True)
class Item:
    """One thing that a landlord is notified of once: `keys` say which. Amounts in cents.

    `amount_cents` was billed, paid or is overdue; `due_cents` is what a payment left. `day` is the
    due date, the day it was paid, or the lease's end. `notified`: an earlier e-mail had it.
    """

    landlord_id: str
    kind: Kind
    keys: tuple[str, ...]
    lease_id: str = ""
    tenant: str = field(default="", repr=False)
    home: str = field(default="", repr=False)
    amount_cents: int = 0
    due_cents: int = 0
    day: date | None = None
    what: str = ""
    notified: bool = False

    @property
    def told(self) -> bool:
        """`notified`, under its first name: templates of landlords' e-mails may ask for it."""
        return self.notified


@dataclass(frozen=True)
class Landlord:
    """Whom an e-mail goes to."""

    id: str
    name: str = field(repr=False)
    address: str = field(repr=False)


@dataclass(frozen=True)
class News:
    """All that one landlord is notified of today."""

    landlord: Landlord
    items: tuple[Item, ...]

    def of(self, kind: Kind) -> list[Item]:
        """The news of one kind, in the order of the e-mail."""
        return [item for item in self.items if item.kind is kind]

    def cents(self, kind: Kind) -> int:
        """The sum of one kind, in cents."""
        return sum(item.amount_cents for item in self.of(kind))

    @property
    def new(self) -> list[tuple[Kind, str]]:
        """What is notified with it, and never again."""
        return [(item.kind, key) for item in self.items if not item.notified for key in item.keys]


def by_landlord(landlords: Iterable[Landlord], items: Iterable[Item]) -> list[News]:
    """The news of each of the landlords who has any, by id. Whose overdue invoices were all
    notified before has none of these."""
    known = {landlord.id: landlord for landlord in landlords}
    ordered = sorted(
        (item for item in items if item.landlord_id in known),
        key=lambda i: (i.landlord_id, i.day or date.max, i.lease_id, i.keys),
    )
    found = []
    for landlord_id, group in groupby(ordered, key=lambda item: item.landlord_id):
        notified = _with_overdue_if_new(_one_for_each_end(list(group)))
        if notified:
            found.append(News(known[landlord_id], tuple(notified)))
    return found


def _with_overdue_if_new(items: Sequence[Item]) -> list[Item]:
    newly = any(item.kind is Kind.OVERDUE and not item.notified for item in items)
    return [item for item in items if newly or item.kind is not Kind.OVERDUE]


def _one_for_each_end(items: Sequence[Item]) -> list[Item]:
    """A lease that comes near its end passes sixty and thirty days; both at once are one line."""
    ends: dict[tuple[str, date | None], Item] = {}
    for item in items:
        if item.kind is Kind.ENDING:
            before = ends.get((item.lease_id, item.day))
            keys = (*before.keys, *item.keys) if before else item.keys
            ends[item.lease_id, item.day] = replace(item, keys=keys)
    return [*(item for item in items if item.kind is not Kind.ENDING), *ends.values()]
