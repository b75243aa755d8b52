"""A ladder of invoicing fixtures: a portfolio, a plan of it, the protocol on it."""

from collections.abc import Callable, Iterator
from datetime import date

import pytest
from sqlalchemy import Connection, Engine, text

from leaseup_dagster.database.quota import SharedQuota
from leaseup_dagster.invoicing.creation.protocol import InvoiceCreation
from leaseup_dagster.invoicing.keys import InvoicePlan, InvoiceResult, LedgerKey
from leaseup_dagster.invoicing.ledger import queries
from leaseup_dagster.invoicing.ledger.queries import Unanswered
from leaseup_dagster.invoicing.planning import planner
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.sandbox.builders import a_landlord, a_lease, a_tenant, a_unit
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.settings import TaskSettings

TODAY = date(2026, 11, 24)


@pytest.fixture
def tasks() -> TaskSettings:
    return TaskSettings()


@pytest.fixture
def customer(paystack: PaystackStandIn) -> str:
    """The code of a customer Paystack knows."""
    return paystack.add_customer("thabo@example.com").customer_code


@pytest.fixture
def due_lease(connection: Connection, customer: str) -> Callable[..., LedgerKey]:
    """Makes a lease whose rent falls due on 1 December, of a tenant with a customer."""

    def make(**values: object) -> LedgerKey:
        landlord = a_landlord(connection)
        tenant = a_tenant(connection, landlord, paystackCustomerId=customer)
        defaults = {"start": date(2026, 1, 1), "unit": a_unit(connection, landlord)}
        lease = a_lease(connection, landlord=landlord, tenants=[tenant], **(defaults | values))
        return LedgerKey(date(2026, 12, 1), lease)

    return make


@pytest.fixture
def plan(engine: Engine, tasks: TaskSettings) -> Callable[..., InvoicePlan]:
    """Plans, as of TODAY unless another day is given."""

    def make(as_of: date = TODAY) -> InvoicePlan:
        with planner.planned(engine, as_of, tasks) as plan:
            return plan

    return make


@pytest.fixture
def planned(due_lease: Callable[..., LedgerKey], plan: Callable[..., InvoicePlan]) -> LedgerKey:
    """One month that is planned and not sent."""
    key = due_lease()
    plan()
    return key


@pytest.fixture
def creation(engine: Engine, paystack: PaystackStandIn) -> Iterator[InvoiceCreation]:
    """The protocol, on the stand-in, with the settling time of the default settings."""
    with PaystackClient(
        secret_key="sk_test_sandbox",
        base_url=paystack.url,
        quota=SharedQuota(engine, 1_000_000),
        timeout_seconds=1,
        connections=10,
    ) as client:
        yield InvoiceCreation(engine, client, settle_seconds=120, send_notification=False)


@pytest.fixture
def backup(connection: Connection) -> Callable[[], Callable[[], None]]:
    """`restore = backup()`: what is written from here on is lost by `restore()`."""
    tables = (("invoice", "invoice"), ("leaseup_dagster.invoice_ledger", "ledger"))

    def make() -> Callable[[], None]:
        for table, name in tables:
            connection.execute(text(f"CREATE TABLE saved_{name} AS SELECT * FROM {table}"))
        return restore

    def restore() -> None:
        connection.execute(text("SET session_replication_role = replica"))  # no trigger, no history
        for table, name in tables:
            connection.execute(text(f"DELETE FROM {table}"))
            connection.execute(text(f"INSERT INTO {table} SELECT * FROM saved_{name}"))
        connection.execute(text("SET session_replication_role = DEFAULT"))

    return make


@pytest.fixture
def stands(engine: Engine, planned: LedgerKey) -> Callable[[], InvoiceResult]:
    """How the planned month stands in the ledger now."""

    def check() -> InvoiceResult:
        with engine.connect() as connection:
            return queries.results(connection, [planned])[0]

    return check


@pytest.fixture
def found_unanswered(engine: Engine, planned: LedgerKey) -> Callable[..., Unanswered]:
    """The month as a later run finds it; `settled`: its settling time has passed meanwhile."""

    def check(*, settled: bool = False) -> Unanswered:
        with engine.begin() as connection:
            if settled:
                connection.execute(
                    text(
                        "UPDATE leaseup_dagster.invoice_ledger"
                        " SET attempted_at = attempted_at - interval '10 minutes'"
                    )
                )
            return queries.unanswered(connection, [planned], settle_seconds=120)[0]

    return check
