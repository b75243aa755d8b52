"""The lookup of an unanswered request fails: it stays unanswered, and nothing is sent twice.

Of the three months, one was accepted without an answer, one never arrived, and one is billed.
"""

import pytest

from leaseup_dagster.sandbox.faults import Fault
from tests.faults.conftest import Cell
from tests.faults.failures import RequestFailure, failures_named, with_one_recovery_each
from tests.faults.recovery import ALL_RECOVERIES, Recovery, recover
from tests.faults.scenarios.invoices import InvoiceScenario
from tests.faults.world import FETCH, FETCH_CUSTOMER, LIST, World, another_request

pytestmark = pytest.mark.faults

LOOKUPS = {FETCH_CUSTOMER: "customer", LIST: "list", FETCH: "request"}
FAILURES = failures_named(
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
def unanswered(invoicing: InvoiceScenario, world: World) -> InvoiceScenario:
    """After a run in which two requests got no answer."""
    lost, never_arrived = invoicing.months[:2]
    faults = world.paystack.faults
    faults.on_create(Fault.drop_after_accepting(), matching=f'"{lost.lease_id}"')
    faults.on_create(Fault.drop_before_accepting(), matching=f'"{never_arrived.lease_id}"')
    invoicing.run(invoicing.day, None)
    assert sorted(invoicing.states().values()) == ["invoiced", "requesting", "requesting"]
    world.heal()
    world.time_passes(minutes=10)
    return invoicing


@pytest.mark.parametrize("recovery", [Recovery.OP_RETRY, Recovery.NEXT_DAY], ids=str)
@pytest.mark.parametrize("failure", FAILURES, ids=str)
@pytest.mark.parametrize("endpoint", LOOKUPS, ids=LOOKUPS.values())
def test_a_lookup_fails(
    unanswered: InvoiceScenario, world: World, cell: Cell, endpoint: str, failure: RequestFailure,
    recovery: Recovery,
) -> None:  # fmt: skip
    cell("invoices", f"search for the {LOOKUPS[endpoint]}: {failure}", recovery)
    world.paystack.faults.on(endpoint, failure.new_fault(), times=None)
    unanswered.timeout_seconds = 0.3 if failure.silent else 5

    def heal() -> None:
        unanswered.check_nothing_twice()
        unanswered.check_explained()
        world.heal()

    recover(unanswered, recovery, heal)


@pytest.mark.parametrize("recovery", [Recovery.OP_RETRY, Recovery.NEW_RUN], ids=str)
def test_an_accepted_request_is_not_in_the_list_yet(
    invoicing: InvoiceScenario, world: World, cell: Cell, recovery: Recovery
) -> None:
    cell("invoices", "search for the list: it does not show what is new yet", recovery)
    world.paystack.habits.list_delay = 2
    world.paystack.faults.on_create(Fault.drop_after_accepting(), times=3)

    recover(invoicing, recovery, world.heal)


@pytest.mark.parametrize("recovery", ALL_RECOVERIES, ids=str)
def test_an_accepted_request_is_on_another_page(
    invoicing: InvoiceScenario, world: World, cell: Cell, recovery: Recovery
) -> None:
    """Every customer has newer requests of other months, and a page holds one request."""
    cell("invoices", "search for the list: it is on the third page", recovery)
    world.paystack.habits.largest_page = 1
    world.paystack.faults.on_create(Fault.drop_after_accepting(), times=3)

    def add_newer_requests() -> None:
        for customer in world.paystack.customers:
            for _ in range(2):
                another_request(world, customer)
        world.heal()

    recover(invoicing, recovery, add_newer_requests)


@pytest.mark.parametrize(("failure", "recovery"), with_one_recovery_each(FAILURES), ids=str)
def test_the_search_for_orphans_fails(
    invoicing: InvoiceScenario,
    world: World,
    cell: Cell,
    failure: RequestFailure,
    recovery: Recovery,
) -> None:
    """A backup was restored: every month seems due again, and none is billed again."""
    cell("invoices", f"check after a restored backup: {failure}", recovery)
    invoicing.run(invoicing.day, None)
    invoicing.restore_a_backup()
    invoicing.timeout_seconds = 0.3 if failure.silent else 5
    world.paystack.faults.on_list(failure.new_fault(), times=None)

    recover(invoicing, recovery, world.heal)
