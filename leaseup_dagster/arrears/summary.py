"""SQL: the ageing of all landlords, and what was billed and collected by month. One pass.

What fell due in a month (`billed`) is set against what of just that has come in by the day
(`collected`). So a share is never above one, and a late payment counts for the month it was owed.
"""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from dateutil.relativedelta import relativedelta
from sqlalchemy import (
    ColumnElement,
    Connection,
    Date,
    Select,
    and_,
    case,
    cast,
    func,
    select,
    true,
    tuple_,
)

from leaseup_dagster.arrears.ageing import Age
from leaseup_dagster.arrears.owed import open_invoices, unreadable
from leaseup_dagster.database.url import ALLOW_LONG

MONTHS = 12
"""Before the month of the day itself."""


@dataclass(frozen=True)
class Ageing:
    """What one landlord (empty: all of them) is owed, in cents by age."""

    landlord_id: str
    cents: dict[Age, int]
    tenants: int
    oldest: date | None

    @property
    def total(self) -> int:
        """Everything that is owed, in cents."""
        return sum(self.cents.values())

    @property
    def overdue(self) -> int:
        """What of it is past its due date, in cents."""
        return self.total - self.cents[Age.NOT_YET_DUE]


@dataclass(frozen=True)
class Month:
    """What fell due in a month up to the day, and what of it has come in, in cents."""

    first: date
    billed: int
    collected: int


@dataclass(frozen=True)
class Arrears:
    """How it stood at the end of a day. `landlords` are those who are owed most, at most `listed`
    of `landlords_owed`; `unreadable` is how many invoices and payments have an
    amount that is none."""

    as_of: date
    all: Ageing
    landlords: tuple[Ageing, ...]
    landlords_owed: int
    months: tuple[Month, ...]
    unreadable: int

    @property
    def share_collected(self) -> float | None:
        """Of all that fell due in these months; None if nothing did."""
        billed = sum(month.billed for month in self.months)
        return sum(month.collected for month in self.months) / billed if billed else None


def arrears(connection: Connection, as_of: date, listed: int) -> Arrears:
    """As of the end of a day in Johannesburg, today or past."""
    connection.execute(ALLOW_LONG)
    rows = connection.execute(_sums(as_of)).all()
    all_of_it = next(row for row in rows if row.of_landlord and row.of_month)
    owed = [_ageing(row) for row in rows if not row.of_landlord]
    owed = sorted((one for one in owed if one.total), key=lambda one: (-one.overdue, -one.total))
    months = {row.month: _month(row) for row in rows if not row.of_month and row.month}
    return Arrears(
        as_of,
        replace(_ageing(all_of_it), landlord_id=""),
        tuple(owed[:listed]),
        len(owed),
        tuple(months.get(first, Month(first, 0, 0)) for first in _firsts(as_of)),
        connection.execute(unreadable(as_of)).scalar_one(),
    )


def _sums(as_of: date) -> Select[Any]:
    """A row for each landlord, for each month, and for all."""
    of, first = open_invoices(as_of), _firsts(as_of)[0]
    month = case(
        (
            of.c.dueDate.between(first, as_of),
            cast(func.date_trunc("month", of.c.dueDate), Date),
        ),
        else_=None,
    ).label("month")
    one = select(
        of.c.landlordId, of.c.tenantId, of.c.dueDate, of.c.amount_cents, of.c.due_cents,
        of.c.days_overdue, of.c.age, month,
    ).cte("one")  # fmt: skip
    late = and_(one.c.due_cents > 0, one.c.days_overdue > 0)
    # By themselves: to count them beside the sums would sort every row for each of the groupings.
    people = (
        select(one.c.landlordId, func.count(one.c.tenantId.distinct()).label("tenants"))
        .where(late)
        .group_by(func.grouping_sets(tuple_(one.c.landlordId), tuple_()))
        .cte("people")
    )

    def total(cents: ColumnElement[Any], *which: ColumnElement[bool]) -> ColumnElement[Any]:
        """Everything that is owed, in cents."""
        return func.coalesce(func.sum(cents).filter(*which), 0)

    sums = (
        select(
            one.c.landlordId,
            one.c.month,
            (func.grouping(one.c.landlordId) == 1).label("of_landlord"),
            (func.grouping(one.c.month) == 1).label("of_month"),
            *(total(one.c.due_cents, one.c.age == age.value).label(age.name) for age in Age),
            total(one.c.amount_cents, true()).label("billed"),
            total(one.c.due_cents, true()).label("due"),
            func.min(one.c.dueDate).filter(late).label("oldest"),
        )
        .group_by(func.grouping_sets(tuple_(one.c.landlordId), tuple_(one.c.month), tuple_()))
        .cte("sums")
    )
    # The row of all has no landlord on either side; an invoice always has one.
    same = and_(sums.c.of_month, people.c.landlordId.is_not_distinct_from(sums.c.landlordId))
    tenants = func.coalesce(people.c.tenants, 0).label("tenants")
    return select(sums, tenants).outerjoin(people, same)


def _ageing(row: Any) -> Ageing:
    cents = {age: int(getattr(row, age.name)) for age in Age}
    return Ageing(row.landlordId or "", cents, row.tenants, row.oldest)


def _month(row: Any) -> Month:
    return Month(row.month, int(row.billed), int(row.billed) - int(row.due))


def _firsts(as_of: date) -> list[date]:
    """The first days of the month of the day and of those before it, earliest first."""
    this = as_of.replace(day=1)
    return [this - relativedelta(months=n) for n in range(MONTHS, -1, -1)]
