"""The world every test runs in: a real PostgreSQL, a real Paystack stand-in, a clean environment."""

import os
from collections.abc import Iterator

import dagster as dg
import pytest
from sqlalchemy import Connection, Engine, create_engine

from leaseup_dagster.database.connection import engine_url, open_engine
from leaseup_dagster.database.schema import migrate
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.sandbox.postgres import Postgres, embedded_postgres

TEMPLATE = "template_leaseup"
OURS = (
    "DATABASE_URL", "PAYSTACK_", "TASK_", "SMS_", "REMINDER_", "TWILIO_", "AWS_", "DAGSTER_",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "COMMUNICATIONS_",
)  # fmt: skip


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test, and no test asks the cloud for credentials."""
    for name in os.environ:
        if name.upper().startswith(OURS):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """One server for all tests, with a template that holds LeaseUp's and our tables."""
    with embedded_postgres(tmp_path_factory.mktemp("postgres") / "data") as server:
        server.create_leaseup(TEMPLATE)
        engine = create_engine(engine_url(server.url(TEMPLATE)))
        migrate(engine)
        engine.dispose()
        yield server


@pytest.fixture
def database_url(postgres: Postgres, request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh database for this test: LeaseUp's tables and ours, empty."""
    name = f"test_{abs(hash(request.node.nodeid))}"
    postgres.create_database(name, template=TEMPLATE)
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url, connections=12)
    yield engine
    engine.dispose()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """Each statement is committed at once, as the application's are."""
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        yield connection


@pytest.fixture
def paystack() -> Iterator[PaystackStandIn]:
    """Paystack, as it answers an integration in rand."""
    with PaystackStandIn() as stand_in:
        yield stand_in


@pytest.fixture(scope="session")
def instance() -> Iterator[dg.DagsterInstance]:
    """Dagster's storage, in memory, shared: making one for each run takes longer than the run."""
    with dg.DagsterInstance.ephemeral() as shared:
        yield shared
