"""What people do to leases and invoices over the years, and what a morning says of it."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Connection, text

from leaseup_dagster.invoicing.keys import InvoicePlan, LedgerKey
from leaseup_dagster.invoicing.rules.skip_reasons import SkipReason
from leaseup_dagster.sandbox.builders import a_landlord, a_lease, a_tenant, an_invoice, insert
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.landlord import change_tenant
from leaseup_dagster.sandbox.paystack import PaystackStandIn

TODAY, DUE = date(2026, 11, 24), date(2026, 12, 1)
Plan = Callable[..., InvoicePlan]
Lease = Callable[..., LedgerKey]
Run = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def morning(run: Run) -> Callable[[], dg.ExecuteInProcessResult]:
    return lambda: run("check_upcoming_invoices", {"plan_invoices": {"as_of": str(TODAY)}})


@pytest.fixture
def billed(due_lease: Lease, morning) -> LedgerKey:
    """A month that was billed by the real job."""
    key = due_lease()
    assert morning().success
    return key


def change(connection: Connection, key: LedgerKey, what: str) -> None:
    connection.execute(text(f"UPDATE lease SET {what} WHERE id = :id"), {"id": key.lease_id})


def why(plan: InvoicePlan, key: LedgerKey) -> tuple[str, str] | None:
    """The reason for which the lease is skipped, with its note; None: it is billed."""
    for skipped in plan.skipped:
        for example, note in skipped.noted:
            if example.lease_id == key.lease_id:
                return skipped.reason, note
    return None


def renewed(connection: Connection, key: LedgerKey, **values: Any) -> LedgerKey:
    """A new lease on the same unit for the same tenant."""
    unit, tenant = connection.execute(
        text(
            'SELECT "unitId", "tenantId" FROM lease JOIN tenant_lease ON "leaseId" = lease.id'
            " WHERE lease.id = :id"
        ),
        {"id": key.lease_id},
    ).one()
    fields = {"start": DUE, "unit": unit, "tenants": [tenant]} | values
    return LedgerKey(DUE, a_lease(connection, **fields))


def checks(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    return {
        e.event_specific_data.check_name: e.event_specific_data
        for e in result.all_events
        if e.event_type_value == "ASSET_CHECK_EVALUATION"
    }


@pytest.mark.parametrize("status", ["RENEWED", "ACTIVE", "ENDED"])
def test_a_renewal_is_held_back_and_names_the_lease_that_is_billed(
    billed: LedgerKey, plan: Plan, connection: Connection, status: str
) -> None:
    change(connection, billed, f"status = '{status}'")
    new = renewed(connection, billed)

    assert why(plan(), new) == ("billed_under_another_lease", billed.lease_id)


@pytest.mark.parametrize(
    "what", ["DELETE FROM invoice", """UPDATE invoice SET "dueDate" = NULL, "createdAt" = now()"""]
)
def test_a_renewal_is_held_while_the_old_leases_request_may_still_be_paid(
    billed: LedgerKey, plan: Plan, connection: Connection, what: str
) -> None:
    """Its invoice was deleted, which archives nothing at Paystack; or nobody knows its month."""
    change(connection, billed, "status = 'ENDED'")
    connection.execute(text(what))

    new = renewed(connection, billed)

    assert why(plan(), new) == ("billed_under_another_lease", billed.lease_id)


def test_of_two_leases_for_one_tenant_and_unit_that_are_both_due_neither_is_billed_in_silence(
    due_lease: Lease, plan: Plan, connection: Connection
) -> None:
    first = due_lease()
    second = renewed(connection, first, start=date(2026, 1, 1))

    found = plan()

    assert found.to_bill == 0
    assert why(found, first) == ("billed_under_another_lease", second.lease_id)
    assert why(found, second) == ("billed_under_another_lease", first.lease_id)


def test_a_renewal_that_follows_the_end_of_the_lease_is_billed(
    due_lease: Lease, plan: Plan, connection: Connection
) -> None:
    old = due_lease(endDate=date(2026, 11, 30))
    an_invoice(connection, old.lease_id, date(2026, 11, 1), status="PAID")

    assert why(plan(), renewed(connection, old)) is None


def test_a_home_let_by_the_room_is_billed_for_each_tenant_and_named(
    due_lease: Lease, morning, connection: Connection, paystack: PaystackStandIn
) -> None:
    first = due_lease()
    owner = connection.execute(text('SELECT id FROM "user"')).scalar_one()
    customer = paystack.add_customer("other@example.com").customer_code
    other = a_tenant(connection, owner, paystackCustomerId=customer)
    second = renewed(connection, first, tenants=[other])

    found = checks(morning())

    assert len(paystack.payment_requests) == 2
    check = found["bills_agree_with_their_leases"]
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.WARN
    assert first.lease_id in str(check.metadata)
    assert second.lease_id in str(check.metadata)


def test_a_renewal_can_be_billed_by_hand(
    billed: LedgerKey, run: Run, connection: Connection, paystack: PaystackStandIn
) -> None:
    new = renewed(connection, billed)

    config = {"lease_id": new.lease_id, "as_of": str(TODAY)}
    assert run("create_invoice", {"plan_one_invoice": config}).success

    assert len(paystack.payment_requests) == 2


@pytest.mark.parametrize(
    "ending",
    ["\"endDate\" = '2026-11-15'", "status = 'ENDED', \"endDate\" = '2026-11-15'",
     "status = 'RENEWED'"],
)  # fmt: skip
def test_what_is_billed_after_the_lease_is_listed_with_the_config_that_cancels_it(
    billed: LedgerKey, morning, connection: Connection, ending: str
) -> None:
    invoice = connection.execute(text("SELECT id FROM invoice")).scalar_one()
    change(connection, billed, ending)

    check = checks(morning())["bills_agree_with_their_leases"]

    assert not check.passed
    assert check.metadata["billed after the lease"].value == 1
    assert f"invoice_ids: [{invoice}]" in check.metadata["what to do"].value


def test_an_active_lease_past_its_end_is_listed(due_lease: Lease, plan: Plan) -> None:
    lease = due_lease(endDate=TODAY - timedelta(days=1))

    assert why(plan(), lease) == ("past_its_end", "")


def test_a_lease_that_ends_on_the_day_it_falls_due_is_listed_and_billed_by_hand_only(
    due_lease: Lease, plan: Plan, run: Run, paystack: PaystackStandIn
) -> None:
    lease = due_lease(endDate=DUE)

    assert why(plan(), lease) == ("ends_on_due_date", "")
    config = {"lease_id": lease.lease_id, "as_of": str(TODAY)}
    assert run("create_invoice", {"plan_one_invoice": config}).success
    assert len(paystack.payment_requests) == 1


def test_a_rent_that_was_raised_after_the_month_was_billed_is_named_with_the_difference(
    billed: LedgerKey, morning, plan: Plan, connection: Connection
) -> None:
    change(connection, billed, "rent = 9000")

    assert why(plan(), billed) == ("billed_another_amount", "850000 900000")
    check = checks(morning())["bills_agree_with_their_leases"]
    assert check.metadata["another amount than the rent"].value == 1


def test_a_landlord_who_has_edited_the_invoice_hears_no_more_of_the_raise(
    billed: LedgerKey, plan: Plan, connection: Connection
) -> None:
    change(connection, billed, "rent = 9000")
    connection.execute(text('UPDATE invoice SET "dueAmount" = 8800'))

    assert why(plan(), billed) is None
    assert {skipped.reason for skipped in plan().skipped} == {"already_invoiced"}


@pytest.mark.parametrize(
    ("start", "held"),
    [("2026-01-20", True), ("2026-01-12", True), ("2026-01-22", False)],
)
def test_a_start_date_that_was_moved_holds_a_month_less_than_21_days_from_a_billed_one(
    due_lease: Lease, plan: Plan, morning, connection: Connection, start: str, held: bool
) -> None:
    """1 December is billed; 12 and 20 December are too near, 22 December is 21 days later."""
    key = due_lease()
    morning()
    change(connection, key, f"\"startDate\" = '{start}'")

    found = plan(date(2026, 12, 2))

    reason = why(found, key)
    assert (reason is not None and reason[0] == "near_a_billed_month") is held
    assert found.to_bill == (0 if held else 1)


def test_a_deleted_invoice_says_that_it_was_deleted_and_is_not_made_again(
    billed: LedgerKey, morning, plan: Plan, connection: Connection, paystack: PaystackStandIn
) -> None:
    connection.execute(text("DELETE FROM invoice"))

    morning()

    assert why(plan(), billed) == ("invoice_deleted", "")
    assert len(paystack.payment_requests) == 1


def test_a_deleted_invoice_is_billed_again_when_a_person_says_so(
    billed: LedgerKey, run: Run, connection: Connection, paystack: PaystackStandIn
) -> None:
    connection.execute(text("DELETE FROM invoice"))

    config = {"lease_id": billed.lease_id, "as_of": str(TODAY), "rebill": True}
    assert run("create_invoice", {"plan_one_invoice": config}).success

    # What can still be paid is adopted, not made again.
    (made,) = paystack.payment_requests
    rows = connection.execute(text('SELECT status::text, "paystackId" FROM invoice')).all()
    assert [tuple(row) for row in rows] == [("PENDING", made.request_code)]


def test_a_rent_invoice_without_a_due_date_holds_the_lease_until_a_person_says(
    due_lease: Lease, plan: Plan, connection: Connection
) -> None:
    lease = due_lease()
    invoice = an_invoice(connection, lease.lease_id, None, createdAt=TODAY)

    assert why(plan(), lease) == ("undated_invoice", "")
    connection.execute(
        text("""UPDATE invoice SET "dueDate" = '2026-10-01' WHERE id = :id"""), {"id": invoice}
    )
    assert why(plan(), lease) is None
    assert plan().to_bill == 1


def test_what_was_held_comes_back_when_its_reason_is_gone(
    billed: LedgerKey, plan: Plan, connection: Connection
) -> None:
    new = renewed(connection, billed)
    plan()
    connection.execute(text("UPDATE invoice SET status = 'CANCELLED'"))
    change(connection, billed, "status = 'RENEWED'")

    assert why(plan(), new) is None


def test_a_renewal_between_the_plan_and_the_request_is_held(
    due_lease: Lease, plan: Plan, connection: Connection, engine, tasks
) -> None:
    """The check right before sending knows the other lease, too."""
    from leaseup_dagster.invoicing.planning import planner

    lease = due_lease()
    plan()
    renewed(connection, lease, start=date(2026, 1, 1))

    with engine.begin() as worker:
        planner.plan_again(worker, [lease], TODAY, tasks)

    row = connection.execute(text("SELECT state, error FROM leaseup_dagster.invoice_ledger")).one()
    assert tuple(row) == ("cancelled", SkipReason.BILLED_UNDER_ANOTHER_LEASE.value)


def test_a_second_tenant_row_makes_no_second_pair(
    billed: LedgerKey, plan: Plan, connection: Connection
) -> None:
    new = renewed(connection, billed)
    tenant = connection.execute(text('SELECT "tenantId" FROM tenant_lease LIMIT 1')).scalar_one()
    insert(connection, "tenant_lease", tenantId=tenant, leaseId=new.lease_id)

    found = plan()

    assert [s.leases for s in found.skipped if s.reason == "billed_under_another_lease"] == [1]


def test_a_request_that_never_arrived_goes_to_the_tenant_who_came_meanwhile(
    due_lease: Lease,
    morning,
    connection: Connection,
    paystack: PaystackStandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The new tenant has no Paystack customer yet."""
    # Less than it takes to settle: the first morning leaves it unanswered at once.
    monkeypatch.setenv("TASK_MAX_DURATION_SECONDS", "60")
    key = due_lease()
    paystack.faults.on_create(Fault.drop_before_accepting(), times=None)
    morning()
    paystack.faults.clear()
    connection.execute(
        text("UPDATE leaseup_dagster.invoice_ledger SET attempted_at = now() - interval '1 hour'")
    )
    newcomer = a_tenant(connection, a_landlord(connection), email="new@example.com")
    change_tenant(connection, key.lease_id, newcomer)

    assert morning().success

    assert [request.customer.email for request in paystack.payment_requests] == ["new@example.com"]
