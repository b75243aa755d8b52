"""Webserver, daemon and code server as separate processes on one PostgreSQL."""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy import text

from leaseup_dagster.sandbox.builders import a_landlord, a_lease, a_tenant, a_unit
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.world import World
from tests.deploy.deployment import ROOT, Deployment, Run, a_deployment

CREATE_INVOICE = ROOT / "examples" / "create_invoice.sh"
EVERY_MINUTE = {"dagster/schedule_name": "every_minute"}


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    """A deployment with short time-outs."""
    with a_deployment(PAYSTACK_TIMEOUT_SECONDS="5", PAYSTACK_SETTLE_SECONDS="15") as deployment:
        yield deployment


def a_due_lease(world: World) -> str:
    """A lease with a month that falls due soon, of a tenant with a Paystack customer."""
    with world.engine.begin() as connection:
        landlord = a_landlord(connection)
        customer = world.paystack.add_customer("thabo@example.com").customer_code
        tenant = a_tenant(connection, landlord, paystackCustomerId=customer)
        unit = a_unit(connection, landlord)
        return a_lease(
            connection, start=date(2026, 1, 1), landlord=landlord, tenants=[tenant], unit=unit
        )


def assert_all_are_billed_once(world: World, leases: list[str]) -> None:
    """Each lease has one invoice, and each invoice has one payment request."""
    active = [request for request in world.paystack.payment_requests if not request.archived]
    with world.engine.connect() as connection:
        billed = connection.execute(text('SELECT "leaseId", "paystackId" FROM invoice')).all()
        states = connection.execute(
            text("SELECT state FROM leaseup_dagster.invoice_ledger")
        ).scalars()
        assert set(states) == {"invoiced"}
    assert Counter(row.leaseId for row in billed) == Counter(leases)
    assert Counter(row.paystackId for row in billed) == Counter(r.request_code for r in active)


def succeeded(run: Run) -> bool:
    """Whether the run has ended. Raises AssertionError when it has failed."""
    assert run["status"] not in ("FAILURE", "CANCELED"), run
    return bool(run["status"] == "SUCCESS")


needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="the example needs curl")


def create_invoice(deployment: Deployment, *arguments: str, **environment: str):
    """Run the example as LeaseUp's application would."""
    variables = {"PATH": os.environ["PATH"], "DAGSTER_WEBSERVER_URL": deployment.url} | environment
    command = [str(CREATE_INVOICE), *arguments]
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


def test_a_killed_run_is_started_again_and_bills_nobody_twice(deployment: Deployment) -> None:
    world, paystack = deployment.world, deployment.world.paystack
    leases = [a_due_lease(world) for _ in range(6)]
    never_answered = paystack.faults.on_create(Fault.hang_after_accepting(), matching=leases[2])
    never_accepted = paystack.faults.on_create(Fault.hang_before_accepting(), matching=leases[4])

    deployment.dagster("schedule", "start", "every_minute")
    assert deployment.until(never_answered.arrived.is_set, seconds=90)
    assert deployment.until(never_accepted.arrived.is_set, seconds=5)
    (worker,) = deployment.run_workers()
    worker.kill()
    deployment.dagster("schedule", "stop", "every_minute")
    never_accepted.abandon()

    def the_retry() -> Run | None:
        runs = deployment.runs("check_upcoming_invoices", **EVERY_MINUTE)
        return next((run for run in runs if run["parentRunId"]), None)

    retry = deployment.until(the_retry, seconds=60)
    assert deployment.until(lambda: succeeded(the_retry() or {}), seconds=90)
    runs = {run["runId"]: run for run in deployment.runs("check_upcoming_invoices")}
    killed = runs[retry["parentRunId"]]
    assert killed["status"] == "FAILURE"
    assert {"key": "dagster/will_retry", "value": "true"} in killed["tags"]
    assert {"key": "dagster/retry_strategy", "value": "ALL_STEPS"} in retry["tags"]
    assert_all_are_billed_once(world, leases)
    assert len(paystack.requests_to("POST /paymentrequest")) == len(leases) + 1
    assert deployment.state("schedule", "every_minute") == "STOPPED"


@pytest.mark.parametrize(
    ("kind", "name"),
    [("schedule", "reminders_at_nine"), ("sensor", "tenants_without_customer")],
)
def test_schedules_and_sensors_are_switched_in_a_shell(
    deployment: Deployment, kind: str, name: str
) -> None:
    assert deployment.state(kind, name) == "RUNNING"

    deployment.dagster(kind, "stop", name)
    assert deployment.state(kind, name) == "STOPPED"
    assert name in deployment.dagster(kind, "list", "--stopped", "--name").split()

    deployment.dagster(kind, "start", name)
    assert deployment.state(kind, name) == "RUNNING"


@needs_curl
def test_the_application_bills_one_lease_by_a_request(deployment: Deployment) -> None:
    lease, paystack = a_due_lease(deployment.world), deployment.world.paystack

    launched = create_invoice(deployment, lease)

    assert launched.returncode == 0, launched.stderr
    assert deployment.until(lambda: succeeded(deployment.run(launched.stdout.strip())), seconds=60)
    bodies = [str(seen.body) for seen in paystack.requests_to("POST /paymentrequest")]
    assert sum(lease in body for body in bodies) == 1


@needs_curl
@pytest.mark.parametrize(
    ("arguments", "environment", "code", "message"),
    [
        (["lease-1"], {"DAGSTER_LOCATION": "nowhere"}, 1, "PipelineNotFoundError"),
        (["lease-1"], {"DAGSTER_WEBSERVER_URL": "http://127.0.0.1:1"}, 7, "127.0.0.1"),
        (['"}}}, "x": {"'], {}, 2, "Not a lease id"),
        ([], {}, 1, "usage"),
    ],
    ids=["GraphQL error", "no webserver", "not an id", "no argument"],
)
def test_the_example_explains_its_failure(
    deployment: Deployment,
    arguments: list[str],
    environment: dict[str, str],
    code: int,
    message: str,
) -> None:
    done = create_invoice(deployment, *arguments, **environment)

    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
