"""Dagster's storage is down during a run, and during a schedule's tick."""

import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, text

from hostile.debian import Server, a_server
from hostile.test_processes import EVERY_MINUTE, a_due_lease, assert_all_are_billed_once
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.sandbox.postgres import Postgres
from tests.conftest import until
from tests.deploy.deployment import Deployment, Run, a_deployment
from tests.many_machines.conftest import Launch, launch, leases, many_machines  # noqa: F401

LEASES = 60


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """The server of Dagster's storage."""
    with a_server() as server:
        yield server


@pytest.fixture(scope="module")
def dagster_database(server: Server) -> str:
    """The URL of Dagster's storage."""
    made = Postgres(server.url())
    made.create_database("dagster")
    made.close()
    return server.url("dagster").replace("postgresql:", "postgresql+psycopg2:")


@pytest.mark.parametrize("seconds", [3, 15])
def test_the_storage_is_down_in_the_middle_of_a_run(
    launch: Launch,  # noqa: F811
    leases: Callable[[int], list[str]],  # noqa: F811
    server: Server,
    paystack: PaystackStandIn,
    connection: Connection,
    seconds: int,
) -> None:
    """For some seconds Dagster retries automatically. After that the run may fail, and the next
    run continues."""
    due = leases(LEASES)
    paystack.habits.latency_seconds = 0.2
    run = launch()
    until(lambda: len(paystack.payment_requests) >= 12, 90)
    server.stop("immediate")
    time.sleep(seconds)
    server.start()
    run.wait(180)

    paystack.habits.latency_seconds = 0
    connection.execute(
        text("UPDATE leaseup_dagster.invoice_ledger SET attempted_at = now() - interval '1 hour'")
    )
    assert launch().wait(180) == 0
    made = Counter((r.metadata or {})["lease_id"] for r in paystack.payment_requests)
    assert made == Counter(due)
    assert Counter(connection.execute(text('SELECT "leaseId" FROM invoice')).scalars()) == made


def test_the_storage_is_down_when_a_schedule_ticks(server: Server, dagster_database: str) -> None:
    """The daemon catches up on the tick, once."""
    with a_deployment(DAGSTER_POSTGRES_URL=dagster_database) as deployment:
        world = deployment.world
        due = [a_due_lease(world) for _ in range(6)]
        if time.time() % 60 > 45:  # starting the schedule takes some seconds
            sleep_until(time.time() // 60 * 60 + 61)
        deployment.dagster("schedule", "start", "every_minute")
        tick = time.time() // 60 * 60 + 60
        sleep_until(tick - 2)
        assert not world.paystack.payment_requests
        server.stop("immediate")
        sleep_until(tick + 4)
        server.start()

        deployment.until(lambda: len(world.paystack.payment_requests) == len(due), 100)
        ended = ("SUCCESS", "FAILURE", "CANCELED")
        deployment.until(lambda: all(run["status"] in ended for run in runs(deployment)), 60)
        assert_all_are_billed_once(world, due)


def runs(deployment: Deployment) -> list[Run]:
    """The runs that the schedule launched."""
    return deployment.runs("check_upcoming_invoices", **EVERY_MINUTE)


def sleep_until(instant: float) -> None:
    """Sleep until `instant`, in seconds since the epoch."""
    time.sleep(max(0.0, instant - time.time()))
