"""The plan in the ledger: idempotent, follows the lease until it is sent, and can be braked."""

from collections.abc import Callable
from datetime import date

import pytest
from sqlalchemy import Connection, Engine, text

from leaseup_dagster.invoicing.keys import Billed, InvoicePlan, LedgerKey
from leaseup_dagster.invoicing.planning import planner
from leaseup_dagster.invoicing.planning.report import preview_landlord_rows
from leaseup_dagster.invoicing.rules import run_limits
from leaseup_dagster.sandbox.builders import a_tenant, an_invoice
from leaseup_dagster.settings import TaskSettings

TODAY = date(2026, 11, 24)
Plan = Callable[..., InvoicePlan]
Lease = Callable[..., LedgerKey]


def ledger(connection: Connection, columns: str = "state") -> list[tuple[object, ...]]:
    sql = f"SELECT {columns} FROM leaseup_dagster.invoice_ledger ORDER BY due_date, lease_id"
    return [tuple(row) for row in connection.execute(text(sql))]


def change(connection: Connection, key: LedgerKey, what: str) -> None:
    connection.execute(text(f"UPDATE lease SET {what} WHERE id = :id"), {"id": key.lease_id})


def set_state(connection: Connection, state: str) -> None:
    sql = f"""UPDATE leaseup_dagster.invoice_ledger SET state = '{state}', attempted_at = now(),
        customer_code = 'CUS_x', request_code = 'PRQ_x', invoice_id = 'x'"""
    connection.execute(text(sql))


def test_planning_again_changes_nothing(
    connection: Connection, due_lease: Lease, plan: Plan
) -> None:
    due_lease()
    plan()
    before = ledger(connection, "*")

    again = plan()

    assert ledger(connection, "*") == before
    assert again.to_bill == 1


def test_a_day_on_which_nothing_ran_loses_no_month(
    connection: Connection, due_lease: Lease, plan: Plan
) -> None:
    """Planned for December, never sent, and the next run is in January: both months are there."""
    due_lease()
    plan()

    plan(date(2026, 12, 10))

    assert ledger(connection, "due_date, state") == [
        (date(2026, 12, 1), "planned"),
        (date(2027, 1, 1), "planned"),
    ]


@pytest.mark.parametrize(
    ("what", "state"),
    [
        ("status = 'ENDED'", "cancelled"),
        ("\"endDate\" = '2026-11-30'", "cancelled"),
        ('"unitId" = NULL', "cancelled"),
        ('"automaticInvoice" = false', "cancelled"),
        ("\"startDate\" = '2026-01-15'", "cancelled"),
        ("rent = 'NaN'", "cancelled"),
        ("rent = 9000", "planned"),
    ],
)
def test_what_is_planned_follows_the_lease(
    connection: Connection, planned: LedgerKey, plan: Plan, what: str, state: str
) -> None:
    change(connection, planned, what)

    plan()

    assert ledger(connection)[0] == (state,)


def test_a_changed_rent_and_tenant_are_taken_over(
    connection: Connection, planned: LedgerKey, plan: Plan
) -> None:
    change(connection, planned, "rent = 9000.5")
    landlord = connection.execute(text('SELECT "landlordId" FROM tenant')).scalar_one()
    swapped = a_tenant(connection, landlord)
    connection.execute(text('UPDATE tenant_lease SET "tenantId" = :t'), {"t": swapped})

    plan()

    assert ledger(connection, "amount_cents, tenant_id") == [(900_050, swapped)]


def test_what_was_withdrawn_comes_back_when_its_reason_is_gone(
    connection: Connection, planned: LedgerKey, plan: Plan
) -> None:
    change(connection, planned, "status = 'INACTIVE'")
    plan()
    change(connection, planned, "status = 'ACTIVE'")

    plan()

    assert ledger(connection, "state, error") == [("planned", None)]


def test_what_was_refused_is_tried_again_by_the_next_plan(
    connection: Connection, planned: LedgerKey, plan: Plan
) -> None:
    set_state(connection, "refused")

    plan()

    assert ledger(connection) == [("planned",)]


def test_looking_again_before_sending_does_not_revive_what_was_refused(
    engine: Engine, connection: Connection, planned: LedgerKey, tasks: TaskSettings
) -> None:
    set_state(connection, "refused")

    with engine.begin() as transaction:
        planner.plan_again(transaction, [planned], TODAY, tasks)

    assert ledger(connection) == [("refused",)]


@pytest.mark.parametrize("state", ["requesting", "invoiced"])
def test_what_may_be_at_paystack_is_never_touched(
    connection: Connection, planned: LedgerKey, plan: Plan, state: str
) -> None:
    set_state(connection, state)
    change(connection, planned, "rent = 1, status = 'ENDED'")
    before = ledger(connection, "*")

    plan()

    assert ledger(connection, "*") == before


def test_a_request_under_way_blocks_a_due_date_that_was_moved_by_a_day(
    connection: Connection, planned: LedgerKey, plan: Plan
) -> None:
    set_state(connection, "requesting")
    change(connection, planned, "\"startDate\" = '2026-01-02'")

    plan()

    assert ledger(connection, "due_date") == [(date(2026, 12, 1),)]


def test_a_month_withdrawn_before_its_due_date_is_still_owed_after_it(
    connection: Connection, planned: LedgerKey, plan: Plan
) -> None:
    change(connection, planned, "status = 'INACTIVE'")
    plan()
    change(connection, planned, "status = 'ACTIVE'")

    plan(date(2026, 12, 3))

    assert ledger(connection, "due_date, state") == [
        (date(2026, 12, 1), "planned"),
        (date(2027, 1, 1), "planned"),
    ]


def test_a_start_date_corrected_by_some_days_does_not_bill_the_month_again(
    connection: Connection, planned: LedgerKey, plan: Plan
) -> None:
    set_state(connection, "requesting")
    change(connection, planned, "\"startDate\" = '2026-01-11'")

    plan()

    assert ledger(connection, "due_date") == [(date(2026, 12, 1),)]


def test_an_invoice_of_ours_that_a_person_cancelled_is_told_as_such(
    connection: Connection, planned: LedgerKey, plan: Plan
) -> None:
    an_invoice(connection, planned.lease_id, planned.due_date, id="x", status="CANCELLED")
    set_state(connection, "invoiced")

    assert [skipped.reason for skipped in plan().skipped] == ["cancelled_by_person"]


def test_a_month_the_application_invoiced_meanwhile_is_withdrawn(
    connection: Connection, planned: LedgerKey, plan: Plan
) -> None:
    an_invoice(connection, planned.lease_id, planned.due_date)

    plan()

    assert ledger(connection, "state, error") == [("cancelled", "already_invoiced")]


def test_a_plan_for_a_wrong_day_is_withdrawn_by_the_right_one(
    connection: Connection, due_lease: Lease, plan: Plan
) -> None:
    due_lease()
    plan(date(2028, 3, 5))

    plan()

    assert ledger(connection, "due_date, state") == [
        (date(2026, 12, 1), "planned"),
        (date(2028, 4, 1), "cancelled"),
    ]


def test_a_preview_writes_nothing_and_finds_what_the_plan_finds(
    engine: Engine, connection: Connection, due_lease: Lease, plan: Plan, tasks: TaskSettings
) -> None:
    due_lease()
    due_lease(unit=None)
    seen = planner.preview(engine, TODAY, tasks, limit=10)

    assert ledger(connection) == []
    assert seen.plan == plan()


def test_a_previews_sums_by_landlord_are_of_all_months_and_not_of_the_first(
    engine: Engine, due_lease: Lease, tasks: TaskSettings
) -> None:
    for _ in range(3):
        due_lease()

    seen = planner.preview(engine, TODAY, tasks, limit=1)

    assert len(seen.bill) == 1
    assert sum(seen.landlords.values(), Billed()) == Billed(3, 2_550_000)
    everything, *landlords = preview_landlord_rows(seen.landlords)
    assert everything == ("all landlords", 3, "R25 500.00")
    assert [row[1:] for row in landlords] == [(1, "R8 500.00")] * 3


def test_the_brake_names_the_number_and_how_to_confirm_it(due_lease: Lease, plan: Plan) -> None:
    due_lease()
    due_lease()
    large = plan()

    message = run_limits.too_large(large, usual=1, confirmed=0)

    assert message is not None
    assert "2 invoices for R17 000.00" in message
    assert "confirm_up_to: 2" in message
    assert run_limits.too_large(large, usual=1, confirmed=2) is None
    assert run_limits.too_large(large, usual=2, confirmed=0) is None


def test_what_was_planned_before_does_not_put_the_brake_on_again(
    due_lease: Lease, plan: Plan
) -> None:
    for _ in range(3):
        due_lease()
    plan()
    due_lease()

    assert (plan().to_bill, plan().new) == (4, 0)
    assert run_limits.too_large(plan(), usual=1, confirmed=0) is None


def test_leases_without_a_split_group_are_counted_and_listed(
    connection: Connection, due_lease: Lease, plan: Plan
) -> None:
    key = due_lease()
    connection.execute(text('UPDATE "user" SET "paystackSplitGroupId" = NULL'))

    made = plan()

    assert (made.without_split_count, made.without_split) == (1, (key.lease_id,))


def test_only_leases_that_need_a_person_are_named(due_lease: Lease, plan: Plan) -> None:
    odd = due_lease(rentDueCurrency="USD")
    due_lease(status="ENDED")

    skipped = {skipped.reason: skipped for skipped in plan().skipped}

    assert skipped["currency_not_rand"].examples == (odd,)
    assert (skipped["not_active"].leases, skipped["not_active"].examples) == (1, ())
