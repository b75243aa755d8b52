"""Each way in which LeaseUp gets a payment or an invoice into the tables.

And what the night and the morning after leave there."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from leaseup_dagster.sandbox import landlord
from leaseup_dagster.sandbox.builders import (
    a_landlord,
    a_lease,
    a_recurring_billable,
    a_tenant,
    a_transaction,
    a_unit,
)
from leaseup_dagster.sandbox.leaseup_app import LeaseUpApp
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from tests.reconciliation.conftest import today

MORNING = "check_upcoming_invoices"


@pytest.fixture
def night_and_morning(night, run) -> Callable[[], tuple[Any, Any]]:
    def go() -> tuple[Any, Any]:
        return night(), run(MORNING, {"plan_invoices": {"as_of": str(today())}})

    return go


def books(connection: Connection) -> list[tuple[Any, ...]]:
    """(status, cents recorded, rows) of every invoice, in the order they were made."""
    rows = connection.execute(
        text(
            """
            SELECT invoice.status::text, coalesce(sum(round("amountPaid" * 100)), 0)::bigint,
                   count(transaction.id)
            FROM invoice LEFT JOIN transaction ON transaction."invoiceId" = invoice.id
            GROUP BY invoice.id ORDER BY invoice."invoiceNumber"
            """
        )
    )
    return [tuple(row) for row in rows]


def payable(paystack: PaystackStandIn) -> int:
    return sum(not (r.paid or r.archived) for r in paystack.payment_requests)


def invoice_id(connection: Connection) -> str:
    return str(connection.execute(text("SELECT id FROM invoice")).scalar_one())


@pytest.fixture
def app(engine: Engine, paystack: PaystackStandIn):
    with LeaseUpApp(engine) as app:
        paystack.webhook_url = app.webhook_url
        yield app


def test_the_webhook_over_http(
    billed, app, night_and_morning, connection: Connection, paystack: PaystackStandIn
) -> None:
    (made,) = paystack.payment_requests
    paystack.pay(made.request_code)
    assert books(connection) == [("PARTIALLY_PAID", 850_000, 1)]

    night, morning = night_and_morning()

    assert (night.success, morning.success) == (True, True)
    assert books(connection) == [("PAID", 850_000, 1)]


def test_the_webhook_twice(
    billed, app, night_and_morning, connection: Connection, paystack: PaystackStandIn
) -> None:
    (made,) = paystack.payment_requests
    paystack.pay(made.request_code)
    paystack.notify(made)

    night, morning = night_and_morning()

    assert (night.success, morning.success) == (False, True)
    assert books(connection) == [("PAID", 1_700_000, 2)]  # named, and never deleted


def test_the_webhook_after_us(
    billed, app, night_and_morning, connection: Connection, paystack: PaystackStandIn
) -> None:
    (made,) = paystack.payment_requests
    paystack.pay(made.request_code, heard=False)
    night_and_morning()
    paystack.notify(made)

    night, _ = night_and_morning()

    assert night.success
    assert books(connection) == [("PAID", 850_000, 1)]


def test_the_webhook_lost(
    billed, night_and_morning, connection: Connection, paystack: PaystackStandIn
) -> None:
    paystack.pay(paystack.payment_requests[0].request_code)

    night_and_morning()

    assert books(connection) == [("PAID", 850_000, 1)]


def test_marked_as_paid(
    billed, night_and_morning, connection: Connection, paystack: PaystackStandIn
) -> None:
    landlord.mark_as_paid(connection, invoice_id(connection))

    night, _ = night_and_morning()

    assert night.success
    assert books(connection) == [("PAID", 850_000, 1)]
    assert payable(paystack) == 0


def test_paid_in_cash_in_two_parts(
    billed, night_and_morning, connection: Connection, paystack: PaystackStandIn
) -> None:
    """LeaseUp is left at PARTIALLY_PAID; nothing is due any more, so nothing may stay payable."""
    invoice = invoice_id(connection)
    for _ in range(2):
        a_transaction(connection, invoice, 4250.0)
    connection.execute(text("UPDATE invoice SET status = 'PARTIALLY_PAID'"))

    night, _ = night_and_morning()

    assert night.success
    assert books(connection) == [("PAID", 850_000, 2)]
    assert payable(paystack) == 0


def test_voided(
    billed, night_and_morning, connection: Connection, paystack: PaystackStandIn
) -> None:
    landlord.void(connection, paystack, invoice_id(connection))

    night, _ = night_and_morning()

    assert night.success
    assert books(connection) == [("CANCELLED", 0, 0)]
    assert payable(paystack) == 0
    assert len(paystack.payment_requests) == 1


def test_an_invoice_by_hand_for_the_month(
    lease, night_and_morning, connection: Connection, paystack: PaystackStandIn
) -> None:
    key = lease()
    landlord.make_invoice(connection, paystack, lease=key.lease_id, rands=8500.0, due=key.due_date)

    night_and_morning()

    assert books(connection) == [("PENDING", 0, 0)]
    assert len(paystack.payment_requests) == 1


def test_an_invoice_by_hand_of_another_kind_does_not_keep_the_rent_from_being_billed(
    lease, night_and_morning, connection: Connection, paystack: PaystackStandIn
) -> None:
    key = lease()
    landlord.make_invoice(
        connection, paystack, lease=key.lease_id, rands=300.0, due=key.due_date,
        category="WATER_ELECTRICITY",
    )  # fmt: skip

    night_and_morning()

    assert books(connection) == [("PENDING", 0, 0)] * 2


def test_a_lease_with_its_past_invoices(
    run, night, connection: Connection, paystack: PaystackStandIn
) -> None:
    """What was before LeaseUp is paid; the month to come is billed."""
    owner = a_landlord(connection)
    customer = paystack.add_customer("past@example.com").customer_code
    tenant = a_tenant(connection, owner, paystackCustomerId=customer)
    landlord.make_lease_with_past(
        connection, today=today(), start=today() - timedelta(days=80), landlord=owner,
        tenant=tenant, unit=a_unit(connection, owner),
    )  # fmt: skip

    assert night().success
    assert run(MORNING, {"plan_invoices": {"as_of": str(today())}}).success

    before, (newest,) = books(connection)[:-1], books(connection)[-1:]
    assert before == [("PAID", 850_000, 1)] * 2
    assert newest == ("PENDING", 0, 0)
    assert len(paystack.payment_requests) == 1


def test_leaseups_own_monthly_task_is_noticed_and_bills_no_month_twice(
    billed, run, night, connection: Connection, paystack: PaystackStandIn
) -> None:
    owner = a_landlord(connection)
    customer = paystack.add_customer("task@example.com").customer_code
    tenant = a_tenant(connection, owner, paystackCustomerId=customer)
    due = today() + timedelta(days=9)
    lease = a_lease(
        connection, start=due - timedelta(days=365), landlord=owner, tenants=[tenant],
        unit=a_unit(connection, owner),
    )  # fmt: skip
    a_recurring_billable(connection, lease, tenant, startDate=due - timedelta(days=365))
    (theirs,) = landlord.run_monthly_task(connection, paystack, today())
    assert night().success

    morning = run(MORNING, {"plan_invoices": {"as_of": str(today())}})

    assert morning.success
    assert len(books(connection)) == 2
    checks = {
        e.event_specific_data.check_name: e.event_specific_data
        for e in morning.all_events
        if e.event_type_value == "ASSET_CHECK_EVALUATION"
    }
    assert not checks["only_one_biller"].passed
    assert lease in str(checks["only_one_biller"].metadata)
    connection.execute(
        text("""UPDATE invoice SET "createdAt" = "createdAt" - interval '8 days' WHERE id = :id"""),
        {"id": theirs},
    )
    again = run(MORNING, {"plan_invoices": {"as_of": str(today())}})
    assert all(
        e.event_specific_data.passed
        for e in again.all_events
        if e.event_type_value == "ASSET_CHECK_EVALUATION"
    )


def test_a_lease_that_was_passed_on_bills_the_new_tenant_and_leaves_the_old_debt(
    billed, night_and_morning, connection: Connection, paystack: PaystackStandIn
) -> None:
    owner = connection.execute(text('SELECT id FROM "user"')).scalar_one()
    former = connection.execute(text('SELECT "tenantId" FROM invoice')).scalar_one()
    landlord.change_tenant(connection, billed.lease_id, a_tenant(connection, owner))

    night_and_morning()

    assert books(connection) == [("PENDING", 0, 0)]
    assert connection.execute(text('SELECT "tenantId" FROM invoice')).scalar_one() == former


def test_an_ended_lease_is_not_billed_again_and_its_open_invoice_stays(
    billed, night_and_morning, connection: Connection, paystack: PaystackStandIn
) -> None:
    landlord.end_lease(connection, billed.lease_id, today())

    night_and_morning()

    assert books(connection) == [("PENDING", 0, 0)]
    assert payable(paystack) == 1
