"""Failures of each commit of an invoicing run: the same cells, through PgBouncer."""

import os
from collections.abc import Iterator

import pytest

from leaseup_dagster.sandbox.postgres import Postgres
from tests.conftest import TEMPLATE
from tests.faults.conftest import cell, invoicing, registering, reminding, world  # noqa: F401
from tests.faults.test_invoice_database import (  # noqa: F401
    test_a_commit_fails,
    test_the_process_dies_at_a_commit,
)
from tests.faults.world import World


@pytest.fixture(scope="module")
def session_world(postgres: Postgres, pooler: int) -> Iterator[World]:
    """A world whose database is reached through the pooler."""
    pooled = World(postgres, f"faults_pooled_{os.getpid()}", TEMPLATE, pooler)
    yield pooled
    pooled.close()
