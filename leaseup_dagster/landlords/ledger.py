"""SQL: what landlords were notified of, and in which e-mail. Each function is one change or one
question.

The claim is committed before the message leaves. What certainly did not leave is deleted again,
and so in the next e-mail; what may have left counts as notified.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Text,
    and_,
    cast,
    delete,
    func,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or

from leaseup_dagster.database.leaseup import landlord as landlords
from leaseup_dagster.database.ledgers import landlord_email as email
from leaseup_dagster.database.ledgers import landlord_event as event
from leaseup_dagster.database.url import ALLOW_LONG
from leaseup_dagster.landlords.news import Item, Kind, Landlord, News, by_landlord
from leaseup_dagster.landlords.sources import all_there_is

_EVERYBODY = ""
_BEGAN = "began"
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(7263008)")

SECONDS_UNDER_WAY = 600
"""Longer than a message can be under way: whoever claimed it has crashed."""


def begin(connection: Connection, as_of: date, statuses: Sequence[str]) -> bool:
    """Whether this is the first time: then all there is counts as notified.

    Each time what is new of landlords who get nothing counts as notified: they start with the day
    on which they are served again. What a crashed run has claimed counts as notified, too.
    """
    connection.execute(ALLOW_LONG)
    connection.execute(_ONE_AT_A_TIME)
    began = insert_or(event).values(landlord_id=_EVERYBODY, kind=_BEGAN, key="", day=as_of)
    first = connection.execute(began.on_conflict_do_nothing().returning(event.c.day)).first()
    if first is not None:
        _mark_as_notified(connection, as_of)
    elif statuses:
        _mark_as_notified(connection, as_of, statuses)
    _give_up_fallen(connection)
    return first is not None


def has_begun(connection: Connection) -> bool:
    """Whether landlords were ever notified of anything."""
    began = select(event.c.day).where(event.c.landlord_id == _EVERYBODY, event.c.kind == _BEGAN)
    return connection.execute(began).first() is not None


def _mark_as_notified(connection: Connection, as_of: date, but_of: Sequence[str] = ()) -> None:
    for kind in Kind:
        found = all_there_is(kind, as_of)
        rows = select(found.c.landlord_id, literal(kind.value), found.c.key).where(
            found.c.landlord_id.is_not(None)
        )
        if but_of:
            rows = rows.join(landlords, landlords.c.id == found.c.landlord_id).where(
                ~_served(but_of)
            )
        into = insert_or(event).from_select(["landlord_id", "kind", "key"], rows.distinct())
        connection.execute(into.on_conflict_do_nothing())


def _served(statuses: Sequence[str]) -> Any:
    return func.coalesce(cast(landlords.c.paystackSubscriptionStatus, Text), "").in_(statuses)


def news(connection: Connection, as_of: date, statuses: Sequence[str]) -> list[News]:
    """What is new for each landlord who is served; of what is overdue all, if any of it is new."""
    connection.execute(ALLOW_LONG)
    items = [_item(kind, row) for kind in Kind for row in _new(connection, kind, as_of, statuses)]
    known = _addressed(connection, sorted({item.landlord_id for item in items}))
    return by_landlord(known, items)


def _new(
    connection: Connection, kind: Kind, as_of: date, statuses: Sequence[str]
) -> Sequence[Row[Any]]:
    found = all_there_is(kind, as_of)
    new = event.c.key.is_(None)
    any_new = func.bool_or(new).over(partition_by=found.c.landlord_id)
    notified = (
        select(found, event.c.key.is_not(None).label("notified"), any_new.label("any_new"))
        .join(landlords, landlords.c.id == found.c.landlord_id)
        .outerjoin(
            event,
            and_(
                event.c.landlord_id == found.c.landlord_id,
                event.c.kind == kind.value,
                event.c.key == found.c.key,
            ),
        )
    )
    if statuses:
        notified = notified.where(_served(statuses))
    asked = notified.subquery("asked")
    wanted = asked.c.any_new if kind is Kind.OVERDUE else ~asked.c.notified
    return connection.execute(select(asked).where(wanted)).all()


def _item(kind: Kind, row: Row[Any]) -> Item:
    return Item(
        landlord_id=row.landlord_id,
        kind=kind,
        keys=(row.key,),
        lease_id=row.lease_id,
        tenant=row.tenant,
        home=row.home,
        amount_cents=_cents(row.cents),
        due_cents=_cents(row.due_cents),
        day=row.day,
        what=row.what,
        notified=row.notified,
    )


def _cents(found: Any) -> int:
    """An amount that is none (NaN) is named by the audit; here it is nothing."""
    return int(found) if Decimal(found or 0).is_finite() else 0


def _addressed(connection: Connection, ids: Sequence[str]) -> list[Landlord]:
    """Those of the landlords, by id, with what an e-mail to them needs."""
    name = func.coalesce(
        func.nullif(func.btrim(landlords.c.businessName), ""), func.btrim(landlords.c.name), ""
    )
    rows = connection.execute(
        select(
            landlords.c.id, name.label("name"),
            func.btrim(func.coalesce(landlords.c.email, "")).label("email"),
        ).where(landlords.c.id.in_(ids)).order_by(landlords.c.id)
    )  # fmt: skip
    return [Landlord(row.id, row.name, row.email) for row in rows]


def claim(connection: Connection, news: News, day: date, run_id: str) -> bool:
    """Claim the e-mail of this day, and all that is in it, before it leaves. False: it was sent, or
    may have been, or another run is about to."""
    claimed = insert_or(email).values(
        landlord_id=news.landlord.id, day=day, state="sending", attempts=1,
        attempted_at=func.clock_timestamp(), run_id=run_id,
    )  # fmt: skip
    again = claimed.on_conflict_do_update(
        index_elements=[email.c.landlord_id, email.c.day],
        set_={
            "state": "sending", "attempts": email.c.attempts + 1, "why": None,
            "attempted_at": func.clock_timestamp(), "run_id": run_id,
        },
        where=email.c.state.in_(("deferred", "refused")),
    ).returning(email.c.landlord_id)  # fmt: skip
    if connection.execute(again).first() is None:
        return False
    rows = [
        {"landlord_id": news.landlord.id, "kind": kind.value, "key": key, "day": day}
        for kind, key in news.new
    ]
    connection.execute(insert_or(event).on_conflict_do_nothing(), rows)
    return True


def settle(connection: Connection, landlord_id: str, day: date, state: str, why: str) -> None:
    """What became of it. What was not accepted (`deferred`, `refused`) is new again."""
    _mark(connection, state, why, email.c.landlord_id == landlord_id, email.c.day == day)
    if state in ("deferred", "refused"):
        connection.execute(
            delete(event).where(event.c.landlord_id == landlord_id, event.c.day == day)
        )


def _give_up_fallen(connection: Connection) -> None:
    """Whoever claimed these has crashed: they may have left, and count as notified."""
    age = func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 0, 0, SECONDS_UNDER_WAY)
    why = "the run fell before it knew whether the message had left"
    _mark(connection, "unknown", why, email.c.attempted_at < age)


def _mark(connection: Connection, state: str, why: str, *which: Any) -> None:
    connection.execute(
        update(email).where(email.c.state == "sending", *which).values(state=state, why=why or None)
    )


def of_day(connection: Connection, day: date) -> Sequence[Any]:
    """How each landlord's e-mail of the day stands, by id."""
    return connection.execute(
        select(email.c.landlord_id, email.c.state, email.c.attempts, email.c.why)
        .where(email.c.day == day)
        .order_by(email.c.landlord_id)
    ).all()
