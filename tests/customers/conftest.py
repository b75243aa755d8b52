"""A ladder of customer fixtures: tenants, the protocol on them, a daemon that runs the sensor."""

from collections.abc import Callable, Iterator
from datetime import datetime

import dagster as dg
import pytest
from sqlalchemy import Connection, Engine, text

from leaseup_dagster.customers.jobs import (
    create_paystack_customers,
    evaluate,
    tenants_without_customer,
)
from leaseup_dagster.customers.registration import Registration
from leaseup_dagster.database.quota import SharedQuota
from leaseup_dagster.database.resource import EngineResource
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.sandbox.builders import a_landlord, a_tenant
from leaseup_dagster.sandbox.paystack import PaystackStandIn

JOB = create_paystack_customers.name
Tenants = Callable[..., list[str]]
Codes = Callable[[], dict[str, str | None]]


@pytest.fixture
def landlord(connection: Connection) -> str:
    return a_landlord(connection)


@pytest.fixture
def tenants(connection: Connection, landlord: str) -> Tenants:
    """`tenants(25)`: so many without a customer; `tenants(email=…)`: one; their ids."""

    def make(count: int = 1, **values: object) -> list[str]:
        values = {"landlordId": landlord, **values}
        of = str(values.pop("landlordId"))
        return [a_tenant(connection, of, **values) for _ in range(count)]

    return make


@pytest.fixture
def codes(connection: Connection) -> Codes:
    """Every tenant's customer code, as LeaseUp has it."""
    sql = text('SELECT id, "paystackCustomerId" FROM tenant')
    return lambda: {row[0]: row[1] for row in connection.execute(sql)}


@pytest.fixture
def registration(engine: Engine, paystack: PaystackStandIn) -> Iterator[Registration]:
    """The protocol, on the stand-in."""
    with PaystackClient(
        secret_key="sk_test_sandbox",
        base_url=paystack.url,
        quota=SharedQuota(engine, 1_000_000),
        timeout_seconds=1,
        connections=10,
    ) as client:
        yield Registration(engine, client)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """Dagster's storage for one test alone: the sensor examines what else has run."""
    with dg.DagsterInstance.ephemeral() as own:
        yield own


class Daemon:
    """What Dagster's daemon does with the sensor: keeps its cursor, and never uses a key twice."""

    def __init__(self, instance: dg.DagsterInstance, engine: Engine, cursor: str | None = None):
        from leaseup_dagster.definitions import defs

        self.cursor = cursor
        self._instance, self._engine, self._defs = instance, engine, defs

    def tick(self, now: datetime | None = None) -> dg.RunRequest | str:
        """The run that is asked for, or why none is. The real sensor, unless it is another time."""
        with dg.build_sensor_context(
            instance=self._instance, cursor=self.cursor, resources={"engine": EngineResource()}
        ) as context:
            if now:
                answer = evaluate(context, self._engine, now=now)
                self.cursor = context.cursor
                return answer if isinstance(answer, dg.RunRequest) else str(answer.skip_message)
            data = tenants_without_customer.evaluate_tick(context)
        self.cursor = data.cursor
        return data.run_requests[0] if data.run_requests else str(data.skip_message)

    def launch(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult | None:
        """The run, to its end; None if its key was used before."""
        tags = {**request.tags, "dagster/run_key": str(request.run_key)}
        of_key = dg.RunsFilter(tags={"dagster/run_key": tags["dagster/run_key"]})
        if self._instance.get_runs(of_key):
            return None
        return self._defs.resolve_job_def(JOB).execute_in_process(
            run_config=request.run_config, instance=self._instance, tags=tags, raise_on_error=False
        )

    def tick_and_run(self, now: datetime | None = None) -> dg.ExecuteInProcessResult | str:
        """A tick, and what comes of it."""
        asked = self.tick(now)
        if isinstance(asked, str):
            return asked
        return self.launch(asked) or "this run key was used before"


@pytest.fixture
def daemon(run: object, instance: dg.DagsterInstance, engine: Engine) -> Daemon:
    """In the environment of `run`, where retries do not wait."""
    return Daemon(instance, engine)
