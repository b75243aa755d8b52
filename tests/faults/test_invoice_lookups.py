"""The search for an earlier attempt breaks: it decides nothing, and nothing is sent twice.

Of the three months one was accepted without an answer, one never arrived, one is billed.
"""

import pytest

from leaseup_dagster.sandbox.faults import Fault
from tests.faults.conftest import Cell
from tests.faults.invoices import Mornings
from tests.faults.recovery import EVERY, Recovery, recover
from tests.faults.vocabulary import Broken, by_name, in_turn
from tests.faults.world import FETCH, FETCH_CUSTOMER, LIST, World, another_request

pytestmark = pytest.mark.faults

LISTS = {FETCH_CUSTOMER: "customer", LIST: "list", FETCH: "request"}
BREAKS = by_name(
    "connection closed before it was accepted",
    "accepted, then silence",
    "500, before it was accepted",
    "502 in HTML, after it was accepted",
    "200 with status false",
    "malformed JSON",
    "429",
    "404",
)


@pytest.fixture
def unanswered(mornings: Mornings, world: World) -> Mornings:
    lost, never_arrived = mornings.months[:2]
    faults = world.paystack.faults
    faults.on_create(Fault.drop_after_accepting(), matching=f'"{lost.lease_id}"')
    faults.on_create(Fault.drop_before_accepting(), matching=f'"{never_arrived.lease_id}"')
    mornings.run(mornings.day, None)
    assert sorted(mornings.states().values()) == ["invoiced", "requesting", "requesting"]
    world.heal()
    world.time_passes(minutes=10)
    return mornings


@pytest.mark.parametrize("recovery", [Recovery.OP_RETRY, Recovery.NEXT_DAY], ids=str)
@pytest.mark.parametrize("broken", BREAKS, ids=str)
@pytest.mark.parametrize("endpoint", LISTS, ids=LISTS.values())
def test_a_look_breaks(
    unanswered: Mornings, world: World, cell: Cell, endpoint: str, broken: Broken,
    recovery: Recovery,
) -> None:  # fmt: skip
    cell("invoices", f"search for the {LISTS[endpoint]}: {broken}", recovery)
    world.paystack.faults.on(endpoint, broken.make(), times=None)
    unanswered.timeout_seconds = 0.3 if broken.silent else 5

    def heal() -> None:
        unanswered.check_nothing_twice()
        unanswered.check_explained()
        world.heal()

    recover(unanswered, recovery, heal)


@pytest.mark.parametrize("recovery", [Recovery.OP_RETRY, Recovery.NEW_RUN], ids=str)
def test_what_was_accepted_is_not_in_the_list_yet(
    mornings: Mornings, world: World, cell: Cell, recovery: Recovery
) -> None:
    cell("invoices", "search for the list: it does not show what is new yet", recovery)
    world.paystack.habits.list_delay = 2
    world.paystack.faults.on_create(Fault.drop_after_accepting(), times=3)

    recover(mornings, recovery, world.heal)


@pytest.mark.parametrize("recovery", EVERY, ids=str)
def test_what_was_accepted_is_on_another_page(
    mornings: Mornings, world: World, cell: Cell, recovery: Recovery
) -> None:
    """Every customer has requests of other months, and a page holds one."""
    cell("invoices", "search for the list: it is on the third page", recovery)
    world.paystack.habits.largest_page = 1
    world.paystack.faults.on_create(Fault.drop_after_accepting(), times=3)

    def others_follow() -> None:
        for customer in world.paystack.customers:
            for _ in range(2):
                another_request(world, customer)
        world.heal()

    recover(mornings, recovery, others_follow)


@pytest.mark.parametrize(("broken", "recovery"), in_turn(BREAKS), ids=str)
def test_the_look_for_what_was_forgotten_breaks(
    mornings: Mornings, world: World, cell: Cell, broken: Broken, recovery: Recovery
) -> None:
    """A backup was restored: everything seems due again, and nothing is billed again."""
    cell("invoices", f"check after a restored backup: {broken}", recovery)
    mornings.run(mornings.day, None)
    mornings.restore_a_backup()
    mornings.timeout_seconds = 0.3 if broken.silent else 5
    world.paystack.faults.on_list(broken.make(), times=None)

    recover(mornings, recovery, world.heal)
