"""A request or a commit fails while customers are created."""

from itertools import product

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
    Commit,
    CommitFailure,
    RequestFailure,
    commit_cells,
    commits_without_cells,
    with_one_recovery_each,
)
from tests.faults.overlaps import two_at_once
from tests.faults.postgres_proxy import Moment
from tests.faults.recovery import ALL_RECOVERIES, RECOVERIES_AFTER_A_CRASH, Recovery, recover
from tests.faults.scenarios.customers import TENANTS, CustomerScenario
from tests.faults.world import CREATE_CUSTOMER, World

pytestmark = pytest.mark.faults

FAULTS = [*LOST[2::2], *GARBLED[1::2], *NOT_PROCESSED, *REFUSED[:2], *KEY_REJECTED]
REFUSAL_TABLE = "leaseup_dagster.customer_refusal"
CODE = Commit("the code, kept", "UPDATE tenant SET",
              ("tenant", "UPDATE", 'NEW."paystackCustomerId" IS NOT NULL'))  # fmt: skip
REFUSAL = Commit("the refusal, remembered", f"INSERT INTO {REFUSAL_TABLE}",
                 (REFUSAL_TABLE, "INSERT", "true"))  # fmt: skip
SLOT = Commit("the slot to ask", "request_quota.*POST /customer",
              ("leaseup_dagster.request_quota", "INSERT", "true"))  # fmt: skip


def heal_and_correct(world: World) -> None:
    """A refused tenant is registered again once their data has changed."""
    world.heal()
    world.rows("UPDATE tenant SET \"firstName\" = 'Corrected' RETURNING id")


@pytest.mark.parametrize(
    ("failure", "recovery", "width"),
    [(*cell, "one tenant") for cell in product(FAULTS, ALL_RECOVERIES)]
    + [(*cell, "every tenant") for cell in with_one_recovery_each(FAULTS)],
    ids=str,
)
def test_a_request_fails(
    registering: CustomerScenario,
    world: World,
    cell: Cell,
    failure: RequestFailure,
    recovery: Recovery,
    width: str,
) -> None:
    cell("customers", f"create, for {width}: {failure}", recovery)
    one = width == "one tenant"
    fault = world.paystack.faults.on(
        CREATE_CUSTOMER, failure.new_fault(), times=1 if one else None,
        matching=registering.victim_marker if one else "",
    )  # fmt: skip
    registering.timeout_seconds = 0.3 if failure.silent else 5

    def heal() -> None:
        if one and failure.known != "key":
            registering.check_others_are_registered()
        registering.check_explained()
        if failure.late:
            fault.release()
            until(lambda: len(world.paystack.customers) == TENANTS)
        heal_and_correct(world)

    recover(registering, recovery, heal)


@pytest.mark.parametrize(
    ("commit", "failure", "recovery"), commit_cells([CODE, REFUSAL, SLOT]), ids=str
)
def test_a_commit_fails(
    registering: CustomerScenario, world: World, cell: Cell, commit: Commit, failure: CommitFailure,
    recovery: Recovery,
) -> None:  # fmt: skip
    cell("customers", f"{commit}: {failure}", recovery)
    prepare(registering, commit)
    commit.fail_with(world, failure)

    recover(registering, recovery, lambda: heal_and_correct(world))


@pytest.mark.parametrize("recovery", RECOVERIES_AFTER_A_CRASH, ids=str)
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("commit", [CODE, REFUSAL, SLOT], ids=str)
def test_the_process_dies_at_a_commit(
    registering: CustomerScenario, world: World, cell: Cell, commit: Commit, moment: Moment,
    recovery: Recovery,
) -> None:  # fmt: skip
    cell("customers", f"{commit}: the process dies {moment} it", recovery)
    prepare(registering, commit)
    commit.crash(world, moment)

    recover(registering, recovery, lambda: heal_and_correct(world))


def prepare(registering: CustomerScenario, commit: Commit) -> None:
    """Make a run reach `commit`."""
    if commit is REFUSAL:
        faults = registering.world.paystack.faults
        faults.on(CREATE_CUSTOMER, Fault.status(400), matching=registering.victim_marker)


@pytest.mark.parametrize("failure", FAULTS[:4], ids=str)
def test_two_runs_at_once(
    registering: CustomerScenario, world: World, cell: Cell, failure: RequestFailure
) -> None:
    """The daily run and the sensor's run, for the same tenants."""
    cell("customers", f"two runs at once: {failure}", Recovery.NEW_RUN)
    world.paystack.faults.on(CREATE_CUSTOMER, failure.new_fault(), times=2)
    registering.timeout_seconds = 0.3 if failure.silent else 5
    two_at_once(lambda _: registering.run_concurrently())
    registering.check_nothing_twice()
    heal_and_correct(world)
    registering.run(registering.day, lambda: None)

    registering.check()


def test_every_commit_of_a_run_has_cells(registering: CustomerScenario, world: World) -> None:
    """A new statement in the protocol needs cells of its own."""
    prepare(registering, REFUSAL)
    registering.run(registering.day, lambda: None)

    assert commits_without_cells(world, [CODE, REFUSAL, SLOT]) == []
