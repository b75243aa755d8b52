"""SQL: the reminder ledger. Each function is one statement, one change of state or one question.

`sending → sent`, or `→ unknown` (counts as sent, for ever), or `→ refused` (until the number
changes), or back to `planned` (certainly not sent). A row found `sending` was left by a crash
and counts as sent too. Nothing is ever sent for a row that is not freshly claimed.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert

from leaseup_dagster.database.leaseup import tenant
from leaseup_dagster.database.ledgers import reminder_ledger as ledger
from leaseup_dagster.reminders.keys import AFTER, Kind, ReminderResult
from leaseup_dagster.reminders.overdue.queries import COUNTS_AS_SENT

LOOK_UP_AFTER = timedelta(minutes=2)
"""A text under way is answered or given up by then."""

LOOK_UP_FOR = timedelta(days=3)
"""Providers list a text late, but not that late."""

_AT_MOST = 500


@dataclass(frozen=True)
class Claim:
    """A text about to be sent: one number, and the tenants who read it."""

    invoice_id: str
    tenant_ids: tuple[str, ...]
    step: int
    as_of: date
    number: str
    number_hash: str = field(repr=False)
    text_hash: str = field(repr=False)
    amount_cents: int
    run_id: str
    # For the communications record; `text` only when it is to be kept.
    template_hash: str = ""
    segments: int = 0
    provider: str = ""
    text: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Unanswered:
    """A row whose text may have been sent. `phone` is the tenant's field as it is now."""

    invoice_id: str
    tenant_id: str
    step: int
    number_hash: str = field(repr=False)
    text_hash: str = field(repr=False)
    attempted_at: datetime
    phone: str = field(repr=False)
    look_up: bool


@dataclass(frozen=True)
class Ending:
    """What is known of a text afterwards. `outcome` is the provider's answer in our words."""

    state: str
    outcome: str
    message_id: str | None = None
    code: str | None = None
    error: str | None = None


def claim(connection: Connection, text: Claim) -> tuple[str, ...]:
    """Claim the text: `sending`, to be committed before it leaves; the tenants it was claimed for.

    Empty: it was sent before, to one of them or to the same number, or somebody is sending it.
    Call it with the invoice locked: the check the number is only as good as that lock.
    """
    of_all = {name: value for name, value in asdict(text).items() if name != "tenant_ids"}
    of_all |= {"state": "sending", "attempted_at": func.clock_timestamp()}
    rows = [of_all | {"tenant_id": tenant_id} for tenant_id in text.tenant_ids]
    added = insert(ledger).values(rows)
    again = added.excluded
    claimed = added.on_conflict_do_update(
        index_elements=[ledger.c.invoice_id, ledger.c.tenant_id, ledger.c.step],
        set_={
            **{name: again[name] for name in of_all if name not in ("invoice_id", "step")},
            "attempts": ledger.c.attempts + 1,
            "outcome": None,
            "message_id": None,
            "code": None,
            "error": None,
            "delivery_status": None,
            "delivery_code": None,
            "updated_at": func.now(),
        },
        where=or_(
            ledger.c.state == "planned",
            and_(ledger.c.state == "refused", ledger.c.number_hash != again.number_hash),
            and_(ledger.c.state == "refused", ledger.c.outcome == "unlisted"),
        ),
    ).returning(ledger.c.tenant_id)
    return tuple(connection.execute(claimed).scalars())


def one_at_a_time(connection: Connection, number_hash: str) -> None:
    """Of two that are about to text one number, the second waits for the first's transaction."""
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(number_hash, 0))))


def texted_on(connection: Connection, number_hash: str, as_of: date) -> bool:
    """Whether the number has had a text on the day, about whatever. One that is being tried again
    has not: its rows are `planned`."""
    same = exists().where(
        ledger.c.number_hash == number_hash,
        ledger.c.as_of == as_of,
        ledger.c.state.in_(COUNTS_AS_SENT),
    )
    return bool(connection.execute(select(same)).scalar())


def texted_about(connection: Connection, invoice_ids: Sequence[str], as_of: date) -> list[str]:
    """Those of `invoice_ids` about which somebody had a text on the day."""
    if not invoice_ids:
        return []
    found = select(ledger.c.invoice_id).where(
        ledger.c.invoice_id.in_(invoice_ids),
        ledger.c.as_of == as_of,
        ledger.c.state.in_(COUNTS_AS_SENT),
    )
    return list(connection.execute(found.distinct().order_by(ledger.c.invoice_id)).scalars())


def has_sent(connection: Connection, run_id: str) -> bool:
    """Whether the provider took a text of this run."""
    sent = exists().where(ledger.c.run_id == run_id, ledger.c.state == "sent")
    return bool(connection.execute(select(sent)).scalar())


def number_was_texted(connection: Connection, text: Claim) -> bool:
    """Whether the number got this step's text already, as another tenant's or as this one's."""
    same = exists().where(
        ledger.c.invoice_id == text.invoice_id,
        ledger.c.step == text.step,
        ledger.c.number_hash == text.number_hash,
        ledger.c.state.in_(COUNTS_AS_SENT),
    )
    return bool(connection.execute(select(same)).scalar())


def texted_since(connection: Connection, text: Claim, repeat_days: int) -> bool:
    """Whether one of the readers got this step's text, a later one, or any so near to its day."""
    near = ledger.c.as_of > text.as_of - timedelta(days=repeat_days)
    other = exists().where(
        ledger.c.invoice_id == text.invoice_id,
        ledger.c.tenant_id.in_(text.tenant_ids),
        ledger.c.state.in_(COUNTS_AS_SENT),
        or_(ledger.c.step >= text.step, near),
    )
    return bool(connection.execute(select(other)).scalar())


def record(connection: Connection, text: Claim, ending: Ending) -> None:
    """How the text of this claim ended. Later claims are left alone."""
    connection.execute(
        update(ledger)
        .where(
            ledger.c.invoice_id == text.invoice_id,
            ledger.c.tenant_id.in_(text.tenant_ids),
            ledger.c.step == text.step,
            ledger.c.run_id == text.run_id,
            # A lookup by a later run may have called it unknown.
            ledger.c.state.in_(("sending", "unknown")),
        )
        .values(**asdict(ending), updated_at=func.now())
    )


def last_outcomes(connection: Connection, run_id: str, count: int) -> list[tuple[str, str]]:
    """(outcome, code) of the last texts of a run that were answered or lost, newest last."""
    code = func.coalesce(ledger.c.code, "")
    newest = (
        select(ledger.c.outcome, code)
        .where(ledger.c.run_id == run_id, ledger.c.outcome.is_not(None))
        .where(ledger.c.outcome != "not sent")
        # Who reads one number reads one text, about whatever is late.
        .group_by(ledger.c.updated_at, ledger.c.number_hash, ledger.c.outcome, code)
        .order_by(ledger.c.updated_at.desc())
        .limit(count)
    )
    return [(row[0], row[1]) for row in reversed(connection.execute(newest).all())]


def results(
    connection: Connection, run_id: str, invoice_ids: Sequence[str]
) -> list[ReminderResult]:
    """How the texts of a run about these invoices stand."""
    text = (
        ledger.c.invoice_id, ledger.c.step, ledger.c.number, ledger.c.number_hash,
        ledger.c.outcome, ledger.c.error, ledger.c.code, ledger.c.message_id,
        ledger.c.amount_cents, ledger.c.segments,
    )  # fmt: skip
    readers = func.array_agg(aggregate_order_by(ledger.c.tenant_id, ledger.c.tenant_id))
    rows = connection.execute(
        select(*text, readers.label("tenant_ids"))
        .where(ledger.c.run_id == run_id, ledger.c.invoice_id.in_(invoice_ids))
        .group_by(*text)
        .order_by(ledger.c.invoice_id, ledger.c.number_hash)
    )
    return [
        ReminderResult(
            invoice_id=row.invoice_id,
            tenant_ids=tuple(row.tenant_ids),
            # The first invoice of a text has its messages, and the others none.
            kind=Kind.IN_THE_SAME_TEXT
            if row.outcome == "sent" and row.segments == 0
            else AFTER.get(row.outcome, Kind.UNKNOWN),
            why=row.error or "",
            step=row.step,
            number=row.number,
            amount_cents=row.amount_cents,
            message_id=row.message_id or "",
            code=row.code or "",
        )
        for row in rows
    ]


def take_back_refusals(connection: Connection, run_id: str, code: str, why: str) -> int:
    """Refusals that turned out to mean the account: those numbers are tried again."""
    result = connection.execute(
        update(ledger)
        .where(
            ledger.c.run_id == run_id,
            ledger.c.state == "refused",
            ledger.c.outcome == "unlisted",
            ledger.c.code == code,
        )
        .values(state="planned", outcome="account", error=why, updated_at=func.now())
    )
    return int(result.rowcount)


def unanswered(connection: Connection) -> list[Unanswered]:
    """Texts that may have been sent: left by a crash, or without an answer and still searched
    for."""
    old_enough = ledger.c.attempted_at < func.clock_timestamp() - LOOK_UP_AFTER
    recent = ledger.c.attempted_at > func.clock_timestamp() - LOOK_UP_FOR
    rows = connection.execute(
        select(
            ledger.c.invoice_id,
            ledger.c.tenant_id,
            ledger.c.step,
            ledger.c.number_hash,
            ledger.c.text_hash,
            ledger.c.attempted_at,
            func.coalesce(tenant.c.phone, literal("")),
            recent,
        )
        .outerjoin(tenant, tenant.c.id == ledger.c.tenant_id)
        .where(old_enough, or_(ledger.c.state == "sending", _unknown_and(recent)))
        .order_by(ledger.c.attempted_at)
        .limit(_AT_MOST)
    )
    return [Unanswered(*row) for row in rows]


def settle(connection: Connection, row: Unanswered, ending: Ending) -> None:
    """What a lookup made of a row without an answer. It is never sent again."""
    connection.execute(
        update(ledger)
        .where(
            ledger.c.invoice_id == row.invoice_id,
            ledger.c.tenant_id == row.tenant_id,
            ledger.c.step == row.step,
            ledger.c.attempted_at == row.attempted_at,
            ledger.c.state.in_(("sending", "unknown")),
        )
        .values(**asdict(ending), updated_at=func.now())
    )


def _unknown_and(recent: ColumnElement[bool]) -> ColumnElement[bool]:
    return and_(ledger.c.state == "unknown", recent)
