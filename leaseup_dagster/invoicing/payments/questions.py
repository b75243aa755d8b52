"""SQL: what only a person can decide about the money of an invoice, kept until it is decided."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import ColumnElement, Connection, delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from leaseup_dagster.checking import IDS_SHOWN, Found, first
from leaseup_dagster.database.leaseup import invoice
from leaseup_dagster.database.ledgers import asked_invoice as asked
from leaseup_dagster.database.ledgers import payment_question as question_table
from leaseup_dagster.invoicing.payments.receipts import OPEN, Decided, Decision, Question, Sums


def decided(connection: Connection, invoice_id: str, request_code: str) -> Decided | None:
    """What a person decided about this invoice and payment request, if they have."""
    row = connection.execute(
        select(question_table).where(
            _is(invoice_id, request_code), question_table.c.decision.is_not(None)
        )
    ).first()
    if row is None:
        return None
    sums = Sums(row.received_cents, row.recorded_cents, row.otherwise_cents)
    return Decided(Decision(row.decision), sums)


def keep(
    connection: Connection, invoice_id: str, request_code: str, question: Question | None
) -> bool:
    """The question as it stands now; whether it was reported before.

    One that is no question any more is deleted, unless a person decided it: that stays known.
    """
    if question is None:
        connection.execute(
            delete(question_table).where(
                _is(invoice_id, request_code), question_table.c.decision.is_(None)
            )
        )
        return True
    values = {
        "doubt": question.doubt.value,
        "received_cents": question.sums.received,
        "recorded_cents": question.sums.recorded,
        "otherwise_cents": question.sums.otherwise,
        "transaction_ids": list(question.rows),
    }
    new = insert(question_table).values(invoice_id=invoice_id, request_code=request_code, **values)
    changed = or_(*(question_table.c[name].is_distinct_from(new.excluded[name]) for name in values))
    connection.execute(
        new.on_conflict_do_update(
            index_elements=["invoice_id", "request_code"],
            set_={**values, "asked_at": func.now(), "told_at": None, "decision": None},
            where=changed,
        )
    )
    reported = select(question_table.c.told_at).where(_is(invoice_id, request_code))
    return connection.execute(reported).scalar() is not None


def mark_reported(connection: Connection, codes: Sequence[str]) -> None:
    """Mark as reported the questions about these payment requests."""
    connection.execute(
        update(question_table)
        .where(question_table.c.request_code.in_(codes), question_table.c.told_at.is_(None))
        .values(told_at=func.now())
    )


def waiting(connection: Connection) -> list[tuple[str, str]]:
    """(invoice, payment request) of each question that nobody has decided, the oldest first."""
    rows = connection.execute(
        select(question_table.c.invoice_id, question_table.c.request_code)
        .where(question_table.c.decision.is_(None))
        .order_by(question_table.c.asked_at, question_table.c.invoice_id)
    )
    return [(row.invoice_id, row.request_code) for row in rows]


def decide(
    connection: Connection, invoice_id: str, decision: Decision, reason: str, run_id: str
) -> list[str]:
    """A person's decision about every question of the invoice; their payment requests' codes."""
    return list(
        connection.execute(
            update(question_table)
            .where(question_table.c.invoice_id == invoice_id)
            .values(decision=decision.value, reason=reason, run_id=run_id, decided_at=func.now())
            .returning(question_table.c.request_code)
        ).scalars()
    )


def open_for_long(connection: Connection, before: date, limit: int) -> list[tuple[str, str]]:
    """(invoice, payment request) of open invoices that were due before a day, those that were
    asked about longest ago first: a payment whose message was lost is found there, however late."""
    rows = connection.execute(
        select(invoice.c.id, invoice.c.paystackId)
        .outerjoin(asked, asked.c.invoice_id == invoice.c.id)
        .where(
            invoice.c.status.in_(OPEN),
            invoice.c.dueDate < before,
            invoice.c.paystackId.startswith("PRQ_", autoescape=True),
        )
        .order_by(asked.c.asked_at.nulls_first(), invoice.c.dueDate, invoice.c.id)
        .limit(limit)
    )
    return [(row.id, row.paystackId) for row in rows]


def remember_asked(connection: Connection, invoice_ids: Sequence[str]) -> None:
    """So that the next night asks about others."""
    if not invoice_ids:
        return
    new = insert(asked).values([{"invoice_id": id_} for id_ in invoice_ids])
    connection.execute(
        new.on_conflict_do_update(index_elements=["invoice_id"], set_={"asked_at": func.now()})
    )


_WAITING = text(
    f"""
    SELECT count(*) AS total,
           (array_agg(invoice_id ORDER BY asked_at, invoice_id))[1 : {IDS_SHOWN}] AS ids
    FROM leaseup_dagster.payment_question WHERE decision IS NULL AND doubt = :doubt
    """
)


def count(connection: Connection, doubt: str) -> Found:
    """The invoices with this doubt that nobody has decided."""
    row = connection.execute(_WAITING, {"doubt": doubt}).one()
    return Found(row.total, first(row.ids))


def _is(invoice_id: str, request_code: str) -> ColumnElement[bool]:
    return (question_table.c.invoice_id == invoice_id) & (
        question_table.c.request_code == request_code
    )
