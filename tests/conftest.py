"""The world of every test: a real PostgreSQL, a Paystack stand-in, a clean environment."""

import gc
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import certifi
import dagster as dg
import pytest
from sqlalchemy import Connection, Engine, create_engine, text

from leaseup_dagster.database.connection import open_engine
from leaseup_dagster.database.schema import HEAD, migrate
from leaseup_dagster.database.url import engine_url
from leaseup_dagster.retries import waiting_at_most
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.sandbox.postgres import Postgres, embedded_postgres
from tests.databases import Databases, watch
from tests.processes import Child, run_job

pytest_plugins = ["tests.faults.table"]

TEMPLATE = "template_leaseup"
GATE = 4711
OURS = (
    "DATABASE_URL", "PAYSTACK_", "TASK_", "SMS_", "REMINDER_", "TWILIO_", "AWS_", "DAGSTER_",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "COMMUNICATIONS_", "CELERY_", "SMTP_",
    "LANDLORD_", "ARREARS_", "EMAIL_", "LEASEUP_",
)  # fmt: skip


def keep_temporary_files_in_memory() -> None:
    """Where there is enough memory: making a database then takes a tenth of the time."""
    shared_memory = Path("/dev/shm")
    roomy = shared_memory.is_dir() and shutil.disk_usage(shared_memory).free > 4 << 30
    if roomy and os.access(shared_memory, os.W_OK):
        os.environ["TMPDIR"] = tempfile.tempdir = str(shared_memory)


keep_temporary_files_in_memory()
# Dagster is a million objects that never go, which the collector would check again and again.
gc.freeze()
gc.set_threshold(100_000, 50, 50)


def one_authority(folder: Path) -> Path:
    """A certificate to trust. Hardly a test speaks TLS, and to read every authority takes longer
    than the run that reads them."""
    end = "-----END CERTIFICATE-----\n"
    one, every = folder / "authority.pem", Path(certifi.where()).read_text("ascii")
    one.write_text(every[: every.index(end)] + end)
    return one


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(one_authority(tmp_path_factory.mktemp("tls")))


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, authority: str) -> None:
    """No setting of the machine reaches a test, and no test asks the cloud for credentials."""
    for name in os.environ:
        if name.upper().startswith(OURS):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", authority)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for all tests, with a template that holds LeaseUp's and our tables.

    Not in pytest's own folder, which other sessions clean up.
    """
    with (
        tempfile.TemporaryDirectory(prefix="leaseup-tests-") as folder,
        embedded_postgres(Path(folder) / "data") as server,
    ):
        server.create_leaseup(TEMPLATE)
        engine = create_engine(engine_url(server.url(TEMPLATE)))
        migrate(engine)
        with engine.begin() as connection:
            watch(connection)
        engine.dispose()
        yield server


@pytest.fixture(scope="session")
def databases(postgres: Postgres) -> Databases:
    return Databases(postgres, TEMPLATE, HEAD)


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """A database for this test: LeaseUp's tables and ours, empty."""
    with databases.one() as url:
        yield url


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


@pytest.fixture
def settings(
    postgres: Postgres,
    database_url: str,
    paystack: PaystackStandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> pytest.MonkeyPatch:
    """The environment a run needs; change it with `setenv`."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", postgres.url("postgres", "+psycopg2"))
    monkeypatch.setenv("PAYSTACK_SECRET_KEY", "sk_test_sandbox")
    monkeypatch.setenv("PAYSTACK_BASE_URL", paystack.url)
    monkeypatch.setenv("PAYSTACK_RATE_LIMIT", "1000000")
    return monkeypatch


Run = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def run(settings: pytest.MonkeyPatch, instance: dg.DagsterInstance) -> Iterator[Run]:
    """`run("job", {"op": {…its config…}})`: the real job in this process, retries without waits."""
    from leaseup_dagster.definitions import defs

    def execute(
        job: str, config: dict[str, Any] | None = None, tags: dict[str, str] | None = None
    ) -> dg.ExecuteInProcessResult:
        ops = {op: {"config": values} for op, values in (config or {}).items()}
        return defs.resolve_job_def(job).execute_in_process(
            run_config={"ops": ops}, instance=instance, raise_on_error=False, tags=tags
        )

    with waiting_at_most(0):
        yield execute


Start = Callable[..., Child]


@pytest.fixture
def start(settings: pytest.MonkeyPatch) -> Iterator[Start]:
    """`start("job", {…})`: the real job in a process of its own, to be killed or waited for."""
    children: list[Child] = []

    def launch(job: str, config: dict[str, Any] | None = None) -> Child:
        ops = {op: {"config": values} for op, values in (config or {}).items()}
        children.append(Child(run_job, job, {"ops": ops}))
        return children[-1]

    yield launch
    for child in children:
        child.end()


class Gate:
    """Holds up every statement that fires its trigger, until it is opened; no rehearsal."""

    def __init__(self, connection: Connection, number: int) -> None:
        self._connection, self._number = connection, number
        connection.execute(text("SELECT pg_advisory_lock(:n)"), {"n": number})

    def wait_until_reached(self, seconds: float = 30) -> None:
        """Until a statement stands before the gate."""
        waiting = text(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            " AND objid = :n"
        )
        until(lambda: self._connection.execute(waiting, {"n": self._number}).scalar() > 0, seconds)

    def open(self) -> None:
        self._connection.execute(text("SELECT pg_advisory_unlock(:n)"), {"n": self._number})


@pytest.fixture
def gate(engine: Engine) -> Iterator[Callable[..., Gate]]:
    """`gate("invoice", "INSERT")`: a place in the database where a run is held up."""
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:

        def build(table: str, event: str, when: str = "true") -> Gate:
            connection.exec_driver_sql(
                f"""
                CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN
                        IF current_setting('leaseup.rehearsal', true) IS DISTINCT FROM 'on' THEN
                            PERFORM pg_advisory_xact_lock_shared({GATE});
                        END IF;
                        RETURN NEW;
                    END $$;
                CREATE TRIGGER hold BEFORE {event} ON {table}
                    FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION hold();
                """
            )
            return Gate(connection, GATE)

        yield build


def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    """Poll until it holds; the test fails if it never does."""
    give_up_at = time.monotonic() + seconds
    look_again = threading.Event()
    while not holds():
        assert time.monotonic() < give_up_at, "it did not come about in time"
        look_again.wait(0.01)


@pytest.fixture(scope="session")
def instance() -> Iterator[dg.DagsterInstance]:
    """Dagster's storage, in memory, shared: making one for each run takes longer than the run."""
    with dg.DagsterInstance.ephemeral() as shared:
        yield shared
