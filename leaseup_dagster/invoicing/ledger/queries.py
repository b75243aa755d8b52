"""SQL: how months stand in the invoice ledger. Questions only; `ledger` makes the changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Date,
    Text,
    case,
    cast,
    func,
    literal,
    select,
    tuple_,
)

from leaseup_dagster.database.leaseup import invoice
from leaseup_dagster.database.ledgers import invoice_history as history
from leaseup_dagster.database.ledgers import invoice_ledger as ledger
from leaseup_dagster.invoicing.keys import InvoiceResult, LedgerKey


@dataclass(frozen=True)
class Unanswered:
    """A row found `requesting`: an earlier attempt may have reached Paystack."""

    key: LedgerKey
    reference: str
    customer_code: str
    attempted_at: datetime
    # Seconds until a request that is not in Paystack's list was never accepted; 0: it is so now.
    settles_in: float


def open_keys(connection: Connection, limit: int, only: LedgerKey | None = None) -> list[LedgerKey]:
    """What is planned or unanswered, earliest due date first; or `only` that, if it is."""
    rows = connection.execute(
        select(ledger.c.due_date, ledger.c.lease_id)
        .where(ledger.c.state.in_(("planned", "requesting")), *([among([only])] if only else []))
        .order_by(ledger.c.due_date, ledger.c.lease_id)
        .limit(limit)
    )
    return [LedgerKey(*row) for row in rows]


def planned_keys(connection: Connection, keys: Sequence[LedgerKey]) -> list[LedgerKey]:
    """Those of `keys` that are still to be sent."""
    rows = connection.execute(
        select(ledger.c.due_date, ledger.c.lease_id)
        .where(ledger.c.state == "planned", among(keys))
        .order_by(ledger.c.due_date, ledger.c.lease_id)
    )
    return [LedgerKey(*row) for row in rows]


def unanswered(
    connection: Connection, keys: Sequence[LedgerKey] | None, settle_seconds: float
) -> list[Unanswered]:
    """Those of `keys` (None: of all) that are `requesting`, oldest attempt first."""
    chosen = [ledger.c.state == "requesting"] + ([among(keys)] if keys is not None else [])
    rows = connection.execute(
        select(
            ledger.c.due_date,
            ledger.c.lease_id,
            ledger.c.reference,
            ledger.c.customer_code,
            ledger.c.attempted_at,
            func.extract("epoch", func.clock_timestamp() - ledger.c.attempted_at).label("age"),
        )
        .where(*chosen)
        .order_by(ledger.c.attempted_at)
    )
    return [
        Unanswered(
            key=LedgerKey(row.due_date, row.lease_id),
            reference=row.reference,
            customer_code=row.customer_code,
            attempted_at=row.attempted_at,
            settles_in=max(0.0, settle_seconds - float(row.age)),
        )
        for row in rows
    ]


def count_open(connection: Connection) -> int:
    """Months that are planned or unanswered: what a run leaves to the next."""
    still = select(func.count()).where(ledger.c.state.in_(("planned", "requesting")))
    return connection.execute(still).scalar_one()


def count_planned(connection: Connection) -> int:
    """Months that nobody has begun to bill."""
    still = select(func.count()).where(ledger.c.state == "planned")
    return connection.execute(still).scalar_one()


def has_billed(connection: Connection, run_id: str) -> bool:
    """Whether this run has recorded an invoice."""
    billed = select(history.c.id).where(
        history.c.due_date > func.current_date() - 400,  # the index begins with it
        history.c.to_state == "invoiced",
        history.c.run_id == run_id,
    )
    return bool(connection.execute(select(billed.exists())).scalar())


def invoice_of_request(connection: Connection, request_code: str) -> str | None:
    """The id of the invoice that LeaseUp already has for this payment request."""
    found = select(invoice.c.id).where(invoice.c.paystackId == request_code).limit(1)
    return connection.execute(found).scalar()


def is_billed_beside(connection: Connection, key: LedgerKey, request_code: str) -> bool:
    """Whether LeaseUp has a live rent invoice for the month that is about another payment request:
    manually at most three days from it, or by a rule, which may count months otherwise. Of a month
    that a person asked for only the very day counts."""
    apart = func.abs(invoice.c.dueDate - literal(key.due_date))
    asked_for = select(ledger.c.by_hand).where(among([key])).scalar_subquery()
    reach = case((asked_for, 0), (invoice.c.recurringBillableId.is_not(None), 20), else_=3)
    beside = select(invoice.c.id).where(
        invoice.c.leaseId == key.lease_id,
        cast(invoice.c.category, Text) == "RENT",
        cast(invoice.c.status, Text) != "CANCELLED",
        func.coalesce(invoice.c.paystackId, "") != request_code,
        apart <= reach,
    )
    return bool(connection.execute(select(beside.exists())).scalar())


def results(connection: Connection, keys: Sequence[LedgerKey]) -> list[InvoiceResult]:
    """How each of `keys` stands now."""
    rows = connection.execute(
        select(ledger).where(among(keys)).order_by(ledger.c.due_date, ledger.c.lease_id)
    )
    return [
        InvoiceResult(
            key=LedgerKey(row.due_date, row.lease_id),
            state=row.state,
            amount_cents=row.amount_cents,
            adopted=row.adopted,
            invoice_id=row.invoice_id,
            request_code=row.request_code,
            error=row.error,
            landlord_id=row.landlord_id or "",
        )
        for row in rows
    ]


def among(keys: Sequence[LedgerKey]) -> ColumnElement[bool]:
    """The condition that a row is one of `keys`."""
    wanted = select(
        func.unnest(literal([key.lease_id for key in keys], ARRAY(Text))),
        func.unnest(literal([key.due_date for key in keys], ARRAY(Date))),
    )
    return tuple_(ledger.c.lease_id, ledger.c.due_date).in_(wanted)
