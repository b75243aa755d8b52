"""A request to Paystack breaks while invoices are made."""

import pytest

from leaseup_dagster.sandbox.faults import Fault
from tests.conftest import until
from tests.faults.conftest import Cell
from tests.faults.invoices import LEASES, Mornings
from tests.faults.recovery import AFTER_A_CRASH, EVERY, Recovery, recover
from tests.faults.vocabulary import (
    GARBLED,
    KEY_REJECTED,
    LOST,
    NOT_PROCESSED,
    REFUSED,
    Broken,
    in_turn,
)
from tests.faults.world import World

pytestmark = pytest.mark.faults

CREATIONS = [*LOST, *GARBLED, *NOT_PROCESSED, *REFUSED, *KEY_REJECTED]
AFTER = {
    "lost": {"invoiced", "requesting"},
    "not processed": {"planned"},
    "refused": {"refused"},
    "key": {"planned"},
    "done": {"invoiced"},
}


@pytest.mark.parametrize("recovery", EVERY, ids=str)
@pytest.mark.parametrize("broken", CREATIONS, ids=str)
def test_a_creation_breaks_for_one_lease(
    mornings: Mornings, world: World, cell: Cell, broken: Broken, recovery: Recovery
) -> None:
    """The others are billed by the same run; in the end so is this one, once."""
    cell("invoices", f"create, for one lease: {broken}", recovery)
    fault = world.paystack.faults.on_create(broken.make(), matching=mornings.only_the_victim)
    mornings.timeout_seconds = 0.3 if broken.silent else 5
    stood = []

    def heal() -> None:
        stood.append(mornings.states()[mornings.victim.lease_id])
        if broken.known != "key":  # which stops the whole run
            mornings.check_others_are_billed()
        become_healthy(mornings, world, broken, fault)

    recover(mornings, recovery, heal)

    assert set(stood) <= AFTER[broken.known]


@pytest.mark.parametrize(("broken", "recovery"), in_turn(CREATIONS), ids=str)
def test_a_creation_breaks_for_every_lease(
    mornings: Mornings, world: World, cell: Cell, broken: Broken, recovery: Recovery
) -> None:
    cell("invoices", f"create, for every lease: {broken}", recovery)
    fault = world.paystack.faults.on_create(broken.make(), times=None)
    mornings.timeout_seconds = 0.3 if broken.silent else 5

    recover(mornings, recovery, lambda: become_healthy(mornings, world, broken, fault))


def become_healthy(mornings: Mornings, world: World, broken: Broken, fault: Fault) -> None:
    mornings.check_explained()
    if broken.late:
        fault.release()
        until(lambda: len(world.paystack.payment_requests) == LEASES)
    world.heal()


@pytest.mark.parametrize("recovery", AFTER_A_CRASH, ids=str)
def test_nobody_listens_at_paystack(
    mornings: Mornings, world: World, cell: Cell, recovery: Recovery
) -> None:
    cell("invoices", "create, for every lease: nobody listens", recovery)
    world.paystack_goes_away()

    recover(mornings, recovery, world.heal)
