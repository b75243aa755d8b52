"""Dagster's storage in PostgreSQL and a portfolio, for runs whose steps are in many processes."""

import os
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Connection

from leaseup_dagster.sandbox.builders import a_landlord, a_lease, a_tenant, a_unit
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.sandbox.postgres import Postgres
from tests.processes import Child

BATCH = 3

_DAGSTER_YAML = """\
storage: {postgres: {postgres_url: {env: DAGSTER_POSTGRES_URL}}}
telemetry: {enabled: false}
"""

CONFIG = "ops: {plan_invoices: {config: {as_of: '2026-11-24'}}}"
COMMAND = [
    "job", "execute", "-m", "leaseup_dagster.definitions",
    "-j", "check_upcoming_invoices", "-c", "config.yaml",
]  # fmt: skip

Launch = Callable[[], Child]


@pytest.fixture(scope="module")
def dagster_database(postgres: Postgres) -> Iterator[str]:
    """Dagster's own storage. Making its tables takes longer than a test: once for all."""
    postgres.create_database("dagster_many_machines")
    yield postgres.url("dagster_many_machines", "+psycopg2")
    postgres.drop_database("dagster_many_machines")


@pytest.fixture
def many_machines(
    settings: pytest.MonkeyPatch, dagster_database: str, tmp_path: Path
) -> pytest.MonkeyPatch:
    """The environment of every machine. Each has a working directory of its own."""
    home = tmp_path / "dagster_home"
    home.mkdir()
    (home / "dagster.yaml").write_text(_DAGSTER_YAML)
    settings.setenv("DAGSTER_HOME", str(home))
    settings.setenv("DAGSTER_POSTGRES_URL", dagster_database)
    settings.setenv("TASK_BATCH_SIZE", str(BATCH))
    return settings


@pytest.fixture
def leases(connection: Connection, paystack: PaystackStandIn) -> Callable[[int], list[str]]:
    """`leases(12)`: due on 1 December, of one tenant whom Paystack knows."""
    landlord = a_landlord(connection)
    code = paystack.add_customer("thabo@example.com").customer_code
    tenant = a_tenant(connection, landlord, paystackCustomerId=code)
    lease = {"start": date(2026, 1, 1), "landlord": landlord, "tenants": [tenant]}
    return lambda number: [
        a_lease(connection, unit=a_unit(connection, landlord), **lease) for _ in range(number)
    ]


@pytest.fixture
def launch(many_machines: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Launch]:
    """`launch()`: `dagster job execute` of the morning's job, in a directory of its own."""
    runs: list[Child] = []

    def start() -> Child:
        folder = tmp_path / f"run{len(runs)}"
        folder.mkdir()
        (folder / "config.yaml").write_text(CONFIG)
        runs.append(Child(dagster_job_execute, str(folder)))
        return runs[-1]

    yield start
    for run in runs:
        run.end()


def dagster_job_execute(folder: str) -> None:
    """As an operator does it, without the seconds that importing takes."""
    from dagster._cli import cli
    from dagster_celery import core_execution_loop

    core_execution_loop.TICK_SECONDS = 0.1  # type: ignore[assignment]  # it examines the answers once in a second
    arrive(folder)
    cli(COMMAND)


def arrive(folder: str) -> None:
    """In a machine's own folder; the executor is chosen here, not where this was forked from."""
    os.chdir(folder)
    sys.modules.pop("leaseup_dagster.definitions")
