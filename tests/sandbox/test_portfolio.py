"""The demo's portfolio is what its table says, on any day."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, Text, cast, select, text

from leaseup_dagster.database.leaseup import invoice
from leaseup_dagster.invoicing.payments import amounts
from leaseup_dagster.invoicing.planning.planner import evaluate
from leaseup_dagster.invoicing.rules.due_dates import next_due_date
from leaseup_dagster.reminders.overdue.queries import overdue_invoices
from leaseup_dagster.sandbox.arrears import lay_out_arrears
from leaseup_dagster.sandbox.mirror import mirror
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.sandbox.portfolio import LEASES, lay_out_leases, start_before
from leaseup_dagster.settings import TaskSettings

MONTH_ENDS = [date(2027, month, 1) - timedelta(days=1) for month in range(1, 13)]
OTHERS = [
    date(2027, 1, 1), date(2027, 1, 28), date(2027, 1, 29), date(2027, 1, 30), date(2027, 2, 27),
    date(2027, 3, 1), date(2027, 3, 30), date(2027, 6, 15), date(2027, 12, 31), date(2028, 2, 8),
    date(2028, 2, 28), date(2028, 2, 29), date(2028, 3, 1), date(2028, 3, 31),
]  # fmt: skip


@pytest.mark.parametrize("today", MONTH_ENDS + OTHERS, ids=str)
def test_each_lease_is_billed_or_skipped_as_the_table_says(today: date, engine: Engine) -> None:
    with engine.connect() as connection:
        lay_out_leases(connection, today)

        seen = evaluate(connection, today, TaskSettings(), limit=1000)

    found = {
        eligibility.key.lease_id: eligibility.reason for eligibility in (*seen.bill, *seen.skip)
    }
    assert found == {case.lease_id: case.skipped for case in LEASES if case.is_automatic}


@given(today=st.dates(date(2024, 1, 1), date(2060, 12, 31)), due_in=st.integers(0, 27))
def test_rent_falls_due_on_the_day_a_case_wants(today: date, due_in: int) -> None:
    due = today + timedelta(days=due_in)

    assert next_due_date(start_before(due), today) == due


@pytest.mark.parametrize("today", [date(2027, 3, 1), date(2028, 2, 29)], ids=str)
def test_only_the_arrears_are_overdue(today: date, engine: Engine) -> None:
    """Except the one month that its lease is there to show."""
    with engine.connect() as connection:
        lay_out_leases(connection, today)
        lay_out_arrears(connection, today)

        late = {row.invoice_id for row in overdue_invoices(connection, today, after_days=3)}

    others = {invoice_id for invoice_id in late if not invoice_id.startswith("late-")}
    assert others == {"invoice-of-lease-other-month-unpaid"}


def test_a_paid_invoice_has_its_payment(engine: Engine, paystack: PaystackStandIn) -> None:
    today = date(2026, 11, 24)
    with engine.begin() as connection:
        lay_out_leases(connection, today)
        lay_out_arrears(connection, today)
        mirror(connection, paystack)
        some = select(invoice).cte("some")
        received = amounts.received(some, by=(some.c.id,))
        paid = select(some.c.id, some.c.dueAmount * 100, received.c.cents).outerjoin(
            received, received.c.id == some.c.id
        )
        of_status = {
            status: connection.execute(paid.where(cast(some.c.status, Text) == status)).all()
            for status in ("PAID", "PARTIALLY_PAID")
        }

    assert [row.id for row in of_status["PAID"] if row[1] != row.cents] == []
    assert all(0 < row.cents < row[1] for row in of_status["PARTIALLY_PAID"])
    assert [len(rows) for rows in of_status.values()] == [3, 2]


def test_every_reason_that_a_first_run_can_give_is_in_the_portfolio(engine: Engine) -> None:
    """The others take a deleted lease, an earlier run, or a setting."""
    shown = {case.skipped.value for case in LEASES if case.skipped}

    assert shown == {
        "already_invoiced", "cancelled_by_person", "invoiced_nearby", "not_automatic",
        "not_active", "lease_ends_first", "no_unit", "no_tenant", "currency_not_rand",
        "rent_invalid", "not_yet_due", "billed_another_amount", "invoice_deleted",
        "undated_invoice", "near_a_billed_month", "past_its_end", "ends_on_due_date",
        "billed_under_another_lease",
    }  # fmt: skip


def test_co_tenants_are_billed_to_the_one_known_longest(engine: Engine) -> None:
    with engine.connect() as connection:
        lay_out_leases(connection, date(2027, 3, 1))

        oldest = connection.execute(
            text('SELECT id FROM tenant ORDER BY "createdAt", id LIMIT 1')
        ).scalar()

    assert oldest == "tenant-since-2020"
