"""One world for all cells of a worker, emptied for each; each cell adds a line to the table."""

import os
from collections.abc import Callable, Iterator

import pytest

from leaseup_dagster.sandbox.postgres import Postgres
from tests.conftest import TEMPLATE
from tests.faults.invoices import Mornings
from tests.faults.registering import Registrations
from tests.faults.reminding import Reminding
from tests.faults.world import World

Cell = Callable[[str, object, object], None]


@pytest.fixture(scope="session")
def small_world(postgres: Postgres) -> Iterator[World]:
    world = World(postgres, f"faults_{os.getpid()}", TEMPLATE)
    yield world
    world.close()


@pytest.fixture
def world(small_world: World) -> Iterator[World]:
    with small_world.fresh():
        yield small_world


@pytest.fixture
def cell(record_property: Callable[[str, object], None]) -> Cell:
    """`cell("invoices", what breaks, how it goes on)`: names this test in the table."""

    def name(process: str, broken: object, recovery: object) -> None:
        record_property("cell", [process, str(broken), str(recovery)])

    return name


@pytest.fixture
def mornings(world: World) -> Mornings:
    return Mornings(world)


@pytest.fixture
def reminding(world: World) -> Reminding:
    return Reminding(world)


@pytest.fixture
def registrations(world: World) -> Registrations:
    return Registrations(world)
