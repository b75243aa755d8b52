"""The invoice ledger's history: every change of state, by whom and why, for ever."""

from collections.abc import Callable
from datetime import date
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import DBAPIError

from leaseup_dagster.database.connection import open_engine
from leaseup_dagster.invoicing.cancellation.protocol import InvoiceCancellation
from leaseup_dagster.invoicing.creation.protocol import InvoiceCreation, Kind
from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.invoicing.ledger import cancelling, queries
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn

HISTORY = "leaseup_dagster.invoice_history"
LEDGER = "leaseup_dagster.invoice_ledger"

Change = tuple[str | None, str, str | None]


@pytest.fixture
def changes(connection: Connection) -> Callable[[], list[Change]]:
    """(from, to, reason) of every change so far."""

    def read() -> list[Change]:
        sql = f"SELECT from_state, to_state, reason FROM {HISTORY} ORDER BY id"
        return [tuple(row) for row in connection.execute(text(sql))]

    return read


Changes = Callable[[], list[Change]]
PLANNED: Change = (None, "planned", None)
MARKED: Change = ("planned", "requesting", None)


def finish(engine: Engine, creation: InvoiceCreation, key: LedgerKey) -> None:
    """What a later run does with a month that has no answer."""
    with engine.connect() as connection:
        (attempt,) = queries.unanswered(connection, [key], settle_seconds=120)
    if creation.look_up(attempt).kind is Kind.PLANNED_AGAIN:
        creation.bill(key)


def test_an_invoice_that_was_simply_made(
    creation: InvoiceCreation, planned: LedgerKey, changes: Changes
) -> None:
    creation.bill(planned)

    assert changes() == [PLANNED, MARKED, ("requesting", "invoiced", None)]


def test_a_request_that_was_not_processed_and_then_was(
    creation: InvoiceCreation, planned: LedgerKey, paystack: PaystackStandIn, changes: Changes
) -> None:
    """The second mark does not repeat the reason of the first failure."""
    paystack.faults.on_create(Fault.rate_limit(x_ratelimit_reset="0"))

    creation.bill(planned)
    creation.bill(planned)

    released = (
        "requesting",
        "planned",
        "Paystack API error 429 (rate_limited): Rate limit exceeded!",
    )
    assert changes() == [PLANNED, MARKED, released, MARKED, ("requesting", "invoiced", None)]


def test_a_lost_answer_and_its_adoption(
    engine: Engine, creation: InvoiceCreation, planned: LedgerKey, paystack: PaystackStandIn,
    changes: Changes,
) -> None:  # fmt: skip
    paystack.faults.on_create(Fault.drop_after_accepting())

    creation.bill(planned)
    finish(engine, creation, planned)

    (_, _, lost, adopted) = changes()
    assert lost[:2] == ("requesting", "requesting")
    assert "no answer came" in str(lost[2])
    assert adopted == ("requesting", "invoiced", "found at Paystack, made by an earlier attempt")


def test_a_request_that_never_arrived_and_was_sent_again(
    engine: Engine, connection: Connection, creation: InvoiceCreation, planned: LedgerKey,
    paystack: PaystackStandIn, changes: Changes,
) -> None:  # fmt: skip
    paystack.faults.on_create(Fault.drop_before_accepting())
    creation.bill(planned)
    connection.execute(text(f"UPDATE {LEDGER} SET attempted_at = now() - interval '1 hour'"))

    finish(engine, creation, planned)

    assert changes()[-2:] == [MARKED, ("requesting", "invoiced", None)]


def test_a_refusal_and_the_next_mornings_try(
    creation: InvoiceCreation, planned: LedgerKey, paystack: PaystackStandIn, changes: Changes,
    plan: Callable[..., object],
) -> None:  # fmt: skip
    paystack.faults.on_create(Fault.refuse(400, "Split code is invalid"))
    creation.bill(planned)
    plan()

    refused = ("requesting", "refused", "Paystack API error 400: Split code is invalid")
    assert changes() == [PLANNED, MARKED, refused, ("refused", "planned", None)]


def test_a_month_that_is_withdrawn_and_comes_back(
    connection: Connection, planned: LedgerKey, changes: Changes, plan: Callable[..., object]
) -> None:
    connection.execute(text("UPDATE lease SET status = 'ENDED'"))
    plan()
    connection.execute(text("UPDATE lease SET status = 'ACTIVE'"))
    plan()

    withdrawn = ("planned", "cancelled", "not_active")
    assert changes() == [PLANNED, withdrawn, ("cancelled", "planned", None)]


def test_a_cancellation_and_what_is_billed_after_it(
    run: Callable[..., dg.ExecuteInProcessResult], engine: Engine, creation: InvoiceCreation,
    planned: LedgerKey, changes: Changes,
) -> None:  # fmt: skip
    creation.bill(planned)
    with engine.connect() as connection:
        (invoice,) = cancelling.of_month(connection, planned, "moved out").invoices
    InvoiceCancellation(engine, creation.paystack).cancel(invoice)
    config = {"lease_id": planned.lease_id, "due_date": "2026-12-01", "rebill": True}
    run("create_invoice", {"plan_one_invoice": config | {"as_of": "2026-11-24"}})

    assert changes()[3:] == [
        ("invoiced", "cancelling", "moved out"),
        ("cancelling", "cancelled", "moved out"),
        ("cancelled", "cancelled", "moved out"),  # a new billing of it
        ("cancelled", "planned", None),
        MARKED,
        ("requesting", "invoiced", None),
    ]


def test_a_new_amount_is_no_change_of_state(
    connection: Connection, planned: LedgerKey, changes: Changes, plan: Callable[..., object]
) -> None:
    connection.execute(text("UPDATE lease SET rent = 9000"))
    plan()
    plan()

    assert changes() == [PLANNED]


def test_what_is_rolled_back_was_never_in_the_history(
    engine: Engine, planned: LedgerKey, changes: Changes
) -> None:
    with engine.connect() as connection:
        connection.execute(text(f"UPDATE {LEDGER} SET state = 'refused'"))
        connection.rollback()

    assert changes() == [PLANNED]


def test_each_change_names_the_run_that_made_it(
    run: Callable[..., dg.ExecuteInProcessResult], connection: Connection,
    due_lease: Callable[[], LedgerKey],
) -> None:  # fmt: skip
    due_lease()

    result = run("check_upcoming_invoices", {"plan_invoices": {"as_of": "2026-11-24"}})
    connection.execute(text(f"UPDATE {LEDGER} SET error = 'examined manually'"))

    runs = connection.execute(text(f"SELECT run_id FROM {HISTORY} ORDER BY id")).scalars().all()
    assert runs == [result.run_id] * 3 + [None]


def test_the_history_costs_no_round_trip(
    engine: Engine, creation: InvoiceCreation, planned: LedgerKey
) -> None:
    """Our slot, the claim, the record: as many statements as before there was a history."""
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *call: statements.append(call[2]))

    creation.bill(planned)

    assert len(statements) == 3
    assert not any("history" in statement for statement in statements)


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE {HISTORY} SET reason = 'never happened'",
        f"UPDATE {HISTORY} SET reason = '' WHERE false",
        f"DELETE FROM {HISTORY}",
        f"TRUNCATE {HISTORY}",
        f"TRUNCATE {LEDGER}, {HISTORY} CASCADE",
        "DELETE FROM leaseup_dagster.reminder_history",
    ],
)
def test_the_database_refuses_to_rewrite_history(
    connection: Connection, planned: LedgerKey, changes: Changes, statement: str
) -> None:
    with pytest.raises(DBAPIError, match="is append-only"):
        connection.execute(text(statement))

    assert changes() == [PLANNED]


def test_forgetting_the_ledger_keeps_its_history(
    connection: Connection, planned: LedgerKey, changes: Changes
) -> None:
    connection.execute(text(f"TRUNCATE {LEDGER} CASCADE"))

    assert changes() == [PLANNED]


def test_ten_thousand_rows_at_once_after_one_row_are_no_slower_by_far(
    database_url: str, connection: Connection
) -> None:
    """The trigger keeps its plan for the session: made for one row, it must not meet many badly."""
    many = f"""
        INSERT INTO {LEDGER} (lease_id, due_date, reference, tenant_id, landlord_id, amount_cents,
                              currency, description, state)
        SELECT 'lease-' || n, DATE '2026-12-01', 'LU-' || n, 't', 'l', 100, 'ZAR', '', 'planned'
        FROM generate_series(1, 10000) AS n
    """
    engine = open_engine(database_url, 1)
    with engine.begin() as one:
        one.execute(text(many))
        for _ in range(6):  # beyond the fifth execution a plan is generic
            one.execute(
                text(f"UPDATE {LEDGER} SET error = 'x' || random() WHERE lease_id = 'lease-1'")
            )
        one.execute(text("SET LOCAL statement_timeout = '5s'"))
        one.execute(text(f"UPDATE {LEDGER} SET state = 'cancelled'"))
    engine.dispose()

    assert connection.execute(text(f"SELECT count(*) FROM {HISTORY}")).scalar() == 20_006


def test_the_reminder_ledger_has_one_too(connection: Connection) -> None:
    ledger = "leaseup_dagster.reminder_ledger"
    row: dict[str, Any] = {"day": date(2026, 11, 24)}
    connection.execute(
        text(
            f"INSERT INTO {ledger} (invoice_id, tenant_id, step, as_of, state, number, number_hash,"
            " text_hash, amount_cents, attempted_at, run_id)"
            " VALUES ('i', 't', 1, :day, 'sending', '*', '', '', 1, now(), 'r')"
        ),
        row,
    )
    connection.execute(text(f"UPDATE {ledger} SET state = 'unknown', error = 'no answer'"))
    connection.execute(text(f"UPDATE {ledger} SET delivery_status = 'delivered'"))
    connection.execute(text(f"DELETE FROM {ledger}"))

    sql = "SELECT from_state, to_state, reason FROM leaseup_dagster.reminder_history ORDER BY id"
    assert [tuple(found) for found in connection.execute(text(sql))] == [
        (None, "sending", None),
        ("sending", "unknown", "no answer"),
        ("unknown", "deleted", None),
    ]
