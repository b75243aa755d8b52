"""Time in which nothing ran: a day, two months. What was planned is finished, the rest listed."""

from collections.abc import Callable
from datetime import date
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Connection, Engine, text

from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.invoicing.planning import planner
from leaseup_dagster.invoicing.planning.missed import MissedMonths, missed_months
from leaseup_dagster.invoicing.rules.due_dates import due_date
from leaseup_dagster.sandbox.builders import a_landlord, a_tenant, a_unit, an_invoice
from leaseup_dagster.sandbox.landlord import make_lease_with_past
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.settings import TaskSettings
from tests.invoicing.test_jobs import failure_of

BEGAN = date(2026, 11, 24)
LEDGER = "leaseup_dagster.invoice_ledger"
Run = Callable[..., dg.ExecuteInProcessResult]
Lease = Callable[..., LedgerKey]


@pytest.fixture
def old_lease(due_lease: Lease) -> Lease:
    """In LeaseUp since before the service began."""

    def make(**values: object) -> LedgerKey:
        return due_lease(**({"createdAt": date(2026, 1, 1)} | values))

    return make


@pytest.fixture
def missed(engine: Engine, tasks: TaskSettings) -> Callable[[date], MissedMonths]:
    def evaluate(as_of: date) -> MissedMonths:
        with engine.begin() as connection:
            return missed_months(connection, as_of, tasks)

    return evaluate


def check_on(run: Run, day: date, **config: Any) -> dg.ExecuteInProcessResult:
    return run("check_upcoming_invoices", {"plan_invoices": {"as_of": day.isoformat()} | config})


def began(connection: Connection) -> None:
    """The first plan was made on the day it was for, whatever today is."""
    connection.execute(text(f"UPDATE {LEDGER} SET planned_at = '2026-11-24 05:00Z'"))


def months(connection: Connection) -> list[date]:
    return list(connection.execute(text('SELECT "dueDate" FROM invoice ORDER BY 1')).scalars())


def first_of(*months: int) -> list[date]:
    """The first day of months counted from January 2026."""
    return [due_date(date(2026, 1, 1), number - 1) for number in months]


def test_a_day_down_changes_nothing(
    run: Run, old_lease: Lease, missed, connection: Connection, paystack: PaystackStandIn
) -> None:
    old_lease()
    check_on(run, BEGAN)

    began(connection)

    assert check_on(run, date(2026, 11, 26)).success
    assert months(connection) == first_of(12)
    assert missed(date(2026, 11, 26)).missed.count == 0


def test_what_was_planned_before_two_months_down_is_finished(
    run: Run,
    old_lease: Lease,
    connection: Connection,
    paystack: PaystackStandIn,
    settings: pytest.MonkeyPatch,
) -> None:
    old_lease()
    paystack.stop()
    check_on(run, BEGAN)
    paystack.start()
    settings.setenv("PAYSTACK_BASE_URL", paystack.url)

    assert check_on(run, date(2027, 1, 25)).success
    assert months(connection) == first_of(12, 14)


def test_two_months_down_are_listed_and_billed_by_the_config_that_is_named(
    run: Run, old_lease: Lease, missed, connection: Connection, paystack: PaystackStandIn
) -> None:
    keys = sorted(old_lease().lease_id for _ in range(3))
    check_on(run, BEGAN)
    began(connection)
    after = date(2027, 2, 5)

    found = missed(after)
    assert found.missed.count == 6
    assert found.missed.ids[:3] == tuple(f"{lease_id} 2027-01-01" for lease_id in keys)
    assert found.bill_from == date(2027, 1, 1)

    for _ in range(2):
        assert check_on(run, after, bill_from=str(found.bill_from)).success
    assert months(connection) == sorted(3 * first_of(12, 13, 14, 15))
    assert len(paystack.payment_requests) == 12
    assert missed(after).missed.count == 0


def test_a_month_with_an_invoice_a_row_or_a_reason_was_not_missed(
    run: Run, old_lease: Lease, missed, connection: Connection
) -> None:
    an_invoice(connection, old_lease().lease_id, date(2027, 1, 1), status="CANCELLED")
    an_invoice(connection, old_lease().lease_id, date(2027, 1, 3))
    old_lease(endDate=date(2026, 12, 31))
    old_lease(status="ENDED")
    old_lease(automaticInvoice=False)
    old_lease(createdAt=date(2027, 1, 20))
    planned = old_lease()
    check_on(run, BEGAN)
    began(connection)
    copy = f"UPDATE {LEDGER} SET due_date = '2027-01-01' WHERE lease_id = :lease"
    connection.execute(text(copy), {"lease": planned.lease_id})

    found = missed(date(2027, 1, 25))

    assert found.missed.ids == ()
    assert found.explained == {"invoiced_nearby": 1, "past_its_end": 1, "not_active": 2}


def test_before_anything_was_planned_nothing_was_missed(old_lease: Lease, missed) -> None:
    old_lease()

    assert missed(date(2027, 3, 5)).missed.count == 0


@pytest.mark.parametrize("start", [date(2026, 8, 31), date(2026, 9, 1), date(2026, 11, 24)])
def test_every_due_date_from_the_day_on_is_planned(
    engine: Engine, old_lease: Lease, connection: Connection, tasks: TaskSettings, start: date
) -> None:
    old_lease(start=start)
    bill_from, as_of = date(2026, 9, 30), date(2027, 3, 1)

    with planner.planned(engine, as_of, tasks, bill_from) as plan:
        pass

    every = [due_date(start, n) for n in range(12)]
    next_due = next(day for day in every if day >= as_of)
    expected = [day for day in every if bill_from <= day <= next_due]
    rows = connection.execute(text(f"SELECT due_date FROM {LEDGER} ORDER BY 1"))
    assert list(rows.scalars()) == expected
    assert plan.to_bill == len(expected)


@pytest.mark.parametrize("status", ["ACTIVE", "ENDED"])
def test_of_two_leases_of_one_home_bill_from_bills_a_passed_month_at_most_once(
    run: Run, old_lease: Lease, connection: Connection, paystack: PaystackStandIn, status: str
) -> None:
    old, new = old_lease(), old_lease()
    home = """UPDATE {0} SET "{1}" = old."{1}" FROM {0} AS old
        WHERE {0}."{2}" = :new AND old."{2}" = :old"""
    for table, column, key in (("lease", "unitId", "id"), ("tenant_lease", "tenantId", "leaseId")):
        ids = {"new": new.lease_id, "old": old.lease_id}
        connection.execute(text(home.format(table, column, key)), ids)
    values = {"id": old.lease_id, "status": status}
    change = 'UPDATE lease SET status = CAST(:status AS "LeaseStatus") WHERE id = :id'
    connection.execute(text(change), values)

    check_on(run, BEGAN, bill_from="2026-10-01")

    expected = [] if status == "ACTIVE" else first_of(10, 11, 12)
    assert months(connection) == expected
    assert len(paystack.payment_requests) == len(expected)


def test_a_preview_shows_what_bill_from_would_bill(
    engine: Engine, old_lease: Lease, tasks: TaskSettings
) -> None:
    old_lease()
    seen = planner.preview(engine, BEGAN, tasks, 10, date(2026, 9, 1))

    assert seen.plan.to_bill == 4
    assert [eligibility.key.due_date for eligibility in seen.bill] == first_of(9, 10, 11, 12)


def test_the_brake_holds_for_missed_months_too(
    run: Run, old_lease: Lease, settings: pytest.MonkeyPatch, paystack: PaystackStandIn
) -> None:
    old_lease()
    settings.setenv("TASK_MAX_NEW_INVOICES", "3")

    result = check_on(run, BEGAN, bill_from="2026-09-01")

    assert "would create 4 invoices" in failure_of(result)
    assert paystack.payment_requests == []


@pytest.mark.parametrize("bill_from", ["2026-11-25", "2025-11-01", "1926-09-01"])
def test_a_day_that_cannot_be_meant_is_refused(
    run: Run, old_lease: Lease, paystack: PaystackStandIn, bill_from: str
) -> None:
    old_lease()

    result = check_on(run, BEGAN, bill_from=bill_from)

    assert f"bill_from must be a day of the 366 days up to 2026-11-24, not {bill_from}" in (
        failure_of(result)
    )
    assert paystack.requests == []


def test_the_first_month_of_a_lease_entered_some_days_after_it_began_was_missed(
    run: Run, old_lease: Lease, missed, connection: Connection
) -> None:
    """Entered on 8 January, began on 1 January; and one that began long before it was entered."""
    old_lease()
    check_on(run, BEGAN)
    began(connection)
    late = old_lease(start=date(2027, 1, 1), createdAt=date(2027, 1, 8))
    old_lease(start=date(2025, 1, 1), createdAt=date(2027, 1, 8))

    found = missed(date(2027, 1, 10))

    assert [one for one in found.missed.ids if late.lease_id in one] == [
        f"{late.lease_id} 2027-01-01"
    ]
    assert found.missed.count == 2  # and January of the lease that was there before
    assert found.bill_from == date(2027, 1, 1)


def test_months_that_leaseup_has_as_paid_before_the_lease_was_entered_are_not_billed(
    run: Run, old_lease: Lease, missed, connection: Connection, customer: str
) -> None:
    """*Past invoices are paid*: each is dated at the end of the month that it is for."""
    old_lease()
    check_on(run, BEGAN)
    began(connection)
    landlord = a_landlord(connection)
    lease = make_lease_with_past(
        connection, today=date(2027, 3, 5), start=date(2027, 2, 5), landlord=landlord,
        tenant=a_tenant(connection, landlord, paystackCustomerId=customer),
        unit=a_unit(connection, landlord),
    )  # fmt: skip
    entered = """UPDATE lease SET "createdAt" = '2027-03-05' WHERE id = :id"""
    connection.execute(text(entered), {"id": lease})

    found = missed(date(2027, 3, 6))
    check_on(run, date(2027, 3, 6), bill_from="2027-01-01")

    assert not [one for one in found.missed.ids if lease in one]
    due = text('SELECT "dueDate" FROM invoice WHERE "leaseId" = :id ORDER BY 1')
    assert list(connection.execute(due, {"id": lease}).scalars()) == [
        date(2027, 3, 5), date(2027, 4, 5),
    ]  # fmt: skip
