"""A lease changes in LeaseUp between our plan and our request."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text

from leaseup_dagster.sandbox import landlord
from leaseup_dagster.sandbox.builders import a_recurring_billable, a_tenant
from leaseup_dagster.sandbox.faults import Fault
from tests.faults.conftest import Cell
from tests.faults.recovery import Recovery
from tests.faults.scenarios.invoices import DUE, TODAY, InvoiceScenario
from tests.faults.world import LIST, World

pytestmark = pytest.mark.faults

Change = Callable[[World, str], object]


def by_hand(world: World, lease: str) -> None:
    """The landlord creates the invoice of the month manually."""
    landlord.make_invoice(world.connection, world.paystack, lease=lease, rands=8500.0, due=DUE)


def monthly_task(world: World, lease: str) -> None:
    """LeaseUp's own monthly task bills the lease."""
    (tenant,) = world.rows('SELECT "tenantId" FROM tenant_lease WHERE "leaseId" = :id', id=lease)
    a_recurring_billable(world.connection, lease, str(tenant[0]))
    landlord.run_monthly_task(world.connection, world.paystack, TODAY)


def passed_on(world: World, lease: str) -> None:
    """Another tenant takes over the lease."""
    customer = world.paystack.add_customer("next@example.com").customer_code
    (owner,) = world.rows('SELECT id FROM "user"')
    tenant = a_tenant(
        world.connection, str(owner[0]), id="next-tenant", paystackCustomerId=customer
    )
    landlord.change_tenant(world.connection, lease, tenant)


def ended(world: World, lease: str) -> None:
    """The lease ended yesterday."""
    landlord.end_lease(world.connection, lease, TODAY - timedelta(days=1))


def rent_raised(world: World, lease: str) -> None:
    """The rent is raised to R9 000."""
    world.connection.execute(text("UPDATE lease SET rent = 9000 WHERE id = :id"), {"id": lease})


@pytest.mark.parametrize(
    ("change", "requests", "invoices"),
    [
        (by_hand, 1, [("PENDING", 8500.0, "own")]),
        (monthly_task, 1, [("PENDING", 8500.0, "own")]),
        (passed_on, 1, [("PENDING", 8500.0, "next-tenant")]),
        (ended, 0, []),
        (rent_raised, 1, [("PENDING", 9000.0, "own")]),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_an_edit_between_our_plan_and_our_request(
    world: World,
    invoicing: InvoiceScenario,
    cell: Cell,
    change: Change,
    requests: int,
    invoices: list,
) -> None:
    """The change happens during the search for orphans, which comes between the two."""
    cell("invoices", f"LeaseUp between plan and request: {change.__name__}", Recovery.NEXT_DAY)
    lease = invoicing.victim.lease_id
    (own,) = world.rows('SELECT "tenantId" FROM tenant_lease WHERE "leaseId" = :id', id=lease)

    def change_before_the_answer(reply):
        change(world, lease)
        return reply

    world.paystack.faults.on(LIST, Fault(change_before_the_answer))
    invoicing.run(TODAY, lambda: None)
    invoicing.run(TODAY + timedelta(days=1), lambda: None)

    rows = world.rows(
        'SELECT status::text, "dueAmount", "tenantId", "paystackId" FROM invoice'
        ' WHERE "leaseId" = :id',
        id=lease,
    )
    owners = {own[0]: "own"}
    assert [(r[0], r[1], owners.get(r[2], r[2])) for r in rows] == invoices
    codes = {r[3] for r in rows}
    for_the_lease = [r for r in world.paystack.payment_requests if r.request_code in codes]
    others = {m.lease_id for m in invoicing.months} - {lease}
    for_others = [r for r in world.paystack.payment_requests if r not in for_the_lease]
    assert len(for_the_lease) == requests
    assert {(r.metadata or {}).get("lease_id") for r in for_others} == others
