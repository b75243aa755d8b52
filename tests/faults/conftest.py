"""The fixtures of the fault matrix.

The cells of one pytest worker share a world, which is emptied for each; each cell adds to the
table."""

import os
from collections.abc import Callable, Iterator

import pytest

from leaseup_dagster.sandbox.postgres import Postgres
from tests.conftest import TEMPLATE
from tests.faults.scenarios.customers import CustomerScenario
from tests.faults.scenarios.invoices import InvoiceScenario
from tests.faults.scenarios.reminders import ReminderScenario
from tests.faults.world import World

Cell = Callable[[str, object, object], None]


@pytest.fixture(scope="session")
def session_world(postgres: Postgres) -> Iterator[World]:
    """The world that all cells of this pytest worker share."""
    world = World(postgres, f"faults_{os.getpid()}", TEMPLATE)
    yield world
    world.close()


@pytest.fixture
def world(session_world: World) -> Iterator[World]:
    """The shared world, emptied, with new stand-ins."""
    with session_world.fresh():
        yield session_world


@pytest.fixture
def cell(record_property: Callable[[str, object], None]) -> Cell:
    """`cell("invoices", failure, recovery)` names this test in the table."""

    def name(process: str, failure: object, recovery: object) -> None:
        record_property("cell", [process, str(failure), str(recovery)])

    return name


@pytest.fixture
def invoicing(world: World) -> InvoiceScenario:
    """Three leases that are due."""
    return InvoiceScenario(world)


@pytest.fixture
def reminding(world: World) -> ReminderScenario:
    """Three overdue invoices."""
    return ReminderScenario(world)


@pytest.fixture
def registering(world: World) -> CustomerScenario:
    """Three tenants without a Paystack customer."""
    return CustomerScenario(world)
