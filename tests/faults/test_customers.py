"""A request or a commit breaks while customers are made."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest

from leaseup_dagster.sandbox.faults import Fault
from tests.conftest import until
from tests.faults.conftest import Cell
from tests.faults.recovery import AFTER_A_CRASH, EVERY, Recovery, recover
from tests.faults.registering import TENANTS, Registrations
from tests.faults.vocabulary import (
    GARBLED,
    KEY_REJECTED,
    LOST,
    NOT_PROCESSED,
    REFUSED,
    Broken,
    Commit,
    Severed,
    in_turn,
    severed_with,
)
from tests.faults.wire import Moment
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


def correct_the_data(world: World) -> None:
    """What a refusal waits for."""
    world.rows("UPDATE tenant SET \"firstName\" = 'Corrected' RETURNING id")


@pytest.mark.parametrize(
    ("broken", "recovery", "width"),
    [(*cell, "one tenant") for cell in product(FAULTS, EVERY)]
    + [(*cell, "every tenant") for cell in in_turn(FAULTS)],
    ids=str,
)
def test_a_creation_breaks(
    registrations: Registrations, world: World, cell: Cell, broken: Broken, recovery: Recovery,
    width: str,
) -> None:  # fmt: skip
    cell("customers", f"create, for {width}: {broken}", recovery)
    one = width == "one tenant"
    fault = world.paystack.faults.on(
        CREATE_CUSTOMER, broken.make(), times=1 if one else None,
        matching=registrations.only_the_victim if one else "",
    )  # fmt: skip
    registrations.timeout_seconds = 0.3 if broken.silent else 5

    def heal() -> None:
        if one and broken.known != "key":
            registrations.check_others_are_registered()
        registrations.check_explained()
        if broken.late:
            fault.release()
            until(lambda: len(world.paystack.customers) == TENANTS)
        world.heal()
        correct_the_data(world)

    recover(registrations, recovery, heal)


@pytest.mark.parametrize(
    ("commit", "severed", "recovery"), severed_with([CODE, REFUSAL, SLOT]), ids=str
)
def test_a_commit_breaks(
    registrations: Registrations, world: World, cell: Cell, commit: Commit, severed: Severed,
    recovery: Recovery,
) -> None:  # fmt: skip
    cell("customers", f"{commit}: {severed}", recovery)
    given(registrations, commit)
    commit.sever(world, severed)

    def heal() -> None:
        world.heal()
        correct_the_data(world)

    recover(registrations, recovery, heal)


@pytest.mark.parametrize("recovery", AFTER_A_CRASH, ids=str)
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("commit", [CODE, REFUSAL, SLOT], ids=str)
def test_the_process_dies_at_a_commit(
    registrations: Registrations, world: World, cell: Cell, commit: Commit, moment: Moment,
    recovery: Recovery,
) -> None:  # fmt: skip
    cell("customers", f"{commit}: the process dies {moment} it", recovery)
    given(registrations, commit)
    commit.crash(world, moment)

    def heal() -> None:
        world.heal()
        correct_the_data(world)

    recover(registrations, recovery, heal)


def given(registrations: Registrations, commit: Commit) -> None:
    if commit is REFUSAL:
        faults = registrations.world.paystack.faults
        faults.on(CREATE_CUSTOMER, Fault.status(400), matching=registrations.only_the_victim)


@pytest.mark.parametrize("broken", FAULTS[:4], ids=str)
def test_two_runs_at_once(
    registrations: Registrations, world: World, cell: Cell, broken: Broken
) -> None:
    """The job and the sensor's run, on the same tenants."""
    cell("customers", f"two runs at once: {broken}", Recovery.NEW_RUN)
    world.paystack.faults.on(CREATE_CUSTOMER, broken.make(), times=2)
    registrations.timeout_seconds = 0.3 if broken.silent else 5
    start = threading.Barrier(2)

    def run(_: int) -> None:
        start.wait(10)
        registrations.run_beside()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, range(2)))
    registrations.check_nothing_twice()
    world.heal()
    correct_the_data(world)
    registrations.run(registrations.day, lambda: None)

    registrations.check()


def test_every_commit_of_a_run_is_broken_above(registrations: Registrations, world: World) -> None:
    """A statement that is new in the protocol asks for its cells."""
    given(registrations, REFUSAL)
    registrations.run(registrations.day, lambda: None)

    known = [c.pattern for c in (CODE, REFUSAL, SLOT)] + ["request_quota", "SHOW|pg_catalog"]
    writes = [sql for sql in world.wire.commits if re.search("INSERT|UPDATE|DELETE", sql)]
    assert [sql for sql in writes if not any(re.search(p, sql, re.S) for p in known)] == []
