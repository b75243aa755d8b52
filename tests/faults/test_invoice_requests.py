"""A request to Paystack fails while invoices are created."""

import pytest

from leaseup_dagster.sandbox.faults import Fault
from tests.conftest import until
from tests.faults.conftest import Cell
from tests.faults.failures import (
    GARBLED,
    KEY_REJECTED,
    LOST,
    NOT_PROCESSED,
    REFUSED,
    RequestFailure,
    with_one_recovery_each,
)
from tests.faults.recovery import ALL_RECOVERIES, RECOVERIES_AFTER_A_CRASH, Recovery, recover
from tests.faults.scenarios.invoices import LEASES, InvoiceScenario
from tests.faults.world import World

pytestmark = pytest.mark.faults

CREATIONS = [*LOST, *GARBLED, *NOT_PROCESSED, *REFUSED, *KEY_REJECTED]
STATES_AFTER = {
    "lost": {"invoiced", "requesting"},
    "not processed": {"planned"},
    "refused": {"refused"},
    "key": {"planned"},
    "done": {"invoiced"},
}


@pytest.mark.parametrize("recovery", ALL_RECOVERIES, ids=str)
@pytest.mark.parametrize("failure", CREATIONS, ids=str)
def test_a_request_fails_for_one_lease(
    invoicing: InvoiceScenario,
    world: World,
    cell: Cell,
    failure: RequestFailure,
    recovery: Recovery,
) -> None:
    """The others are billed by the same run, and this one once by the recovery."""
    cell("invoices", f"create, for one lease: {failure}", recovery)
    armed = world.paystack.faults.on_create(failure.new_fault(), matching=invoicing.victim_marker)
    invoicing.timeout_seconds = 0.3 if failure.silent else 5
    states = []

    def heal() -> None:
        states.append(invoicing.states()[invoicing.victim.lease_id])
        if failure.known != "key":  # a rejected key stops the whole run
            invoicing.check_others_are_billed()
        heal_after(invoicing, world, failure, armed)

    recover(invoicing, recovery, heal)

    assert set(states) <= STATES_AFTER[failure.known]


@pytest.mark.parametrize(("failure", "recovery"), with_one_recovery_each(CREATIONS), ids=str)
def test_a_request_fails_for_every_lease(
    invoicing: InvoiceScenario,
    world: World,
    cell: Cell,
    failure: RequestFailure,
    recovery: Recovery,
) -> None:
    cell("invoices", f"create, for every lease: {failure}", recovery)
    armed = world.paystack.faults.on_create(failure.new_fault(), times=None)
    invoicing.timeout_seconds = 0.3 if failure.silent else 5

    recover(invoicing, recovery, lambda: heal_after(invoicing, world, failure, armed))


def heal_after(
    invoicing: InvoiceScenario, world: World, failure: RequestFailure, armed: Fault
) -> None:
    """Remove the failure; what Paystack accepts late is accepted first."""
    invoicing.check_explained()
    if failure.late:
        armed.release()
        until(lambda: len(world.paystack.payment_requests) == LEASES)
    world.heal()


@pytest.mark.parametrize("recovery", RECOVERIES_AFTER_A_CRASH, ids=str)
def test_nobody_listens_at_paystack(
    invoicing: InvoiceScenario, world: World, cell: Cell, recovery: Recovery
) -> None:
    cell("invoices", "create, for every lease: nobody listens", recovery)
    world.stop_paystack()

    recover(invoicing, recovery, world.heal)
