"""Both databases dumped and restored, with the commands of docs/operations.md."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from leaseup_dagster.database.url import engine_url
from leaseup_dagster.definitions import defs
from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.sandbox.postgres import Postgres
from tests.invoicing.creation.test_restored_backup import (
    CREATE,
    assert_all_are_billed_once,
    hours_pass,
)
from tests.invoicing.test_jobs import CHECK, Lease, Run, report_of

ROOT = Path(__file__).parents[3]
HISTORY = text("SELECT * FROM leaseup_dagster.invoice_history ORDER BY id")

Dump = Callable[[str], Path]
Restore = Callable[[Path, str], str]


@pytest.fixture
def tools(connection: Connection) -> Path:
    """Where the server's own pg_dump and pg_restore are."""
    sql = "SELECT setting FROM pg_config() WHERE name = 'BINDIR'"
    return Path(connection.execute(text(sql)).scalar_one())


@pytest.fixture
def dump(tools: Path, tmp_path: Path) -> Dump:
    """`dump(url)`: the file."""

    def make(url: str) -> Path:
        file = tmp_path / f"{len(list(tmp_path.glob('*.dump')))}.dump"
        subprocess.run([tools / "pg_dump", "--format=custom", f"--file={file}", url], check=True)
        return file

    return make


@pytest.fixture
def restore(tools: Path, postgres: Postgres, request: pytest.FixtureRequest) -> Iterator[Restore]:
    """`restore(file, driver)`: the URL of a new database with what is in the file."""
    made: list[str] = []

    def make(file: Path, driver: str = "") -> str:
        made.append(f"restored_{len(made)}_{abs(hash(request.node.nodeid))}")
        postgres.create_database(made[-1])
        where = f"--dbname={postgres.url(made[-1])}"
        subprocess.run([tools / "pg_restore", "--exit-on-error", where, file], check=True)
        return postgres.url(made[-1], driver)

    yield make
    for name in made:
        postgres.drop_database(name)


@pytest.fixture
def restored(settings: pytest.MonkeyPatch, restore: Restore) -> Iterator[Callable[..., Connection]]:
    """`restored(file)`: from here on runs find the new database; a connection to it."""
    opened: list[tuple[Engine, Connection]] = []

    def make(file: Path) -> Connection:
        url = restore(file, "")
        settings.setenv("DATABASE_URL", url)
        engine = create_engine(engine_url(url), isolation_level="AUTOCOMMIT")
        opened.append((engine, engine.connect()))
        return opened[-1][1]

    yield make
    for engine, connection in opened:
        connection.close()
        engine.dispose()


def test_restored_it_bills_nobody_twice_and_goes_on_with_its_history(
    run: Run, dump: Dump, restored: Callable[..., Connection], due_lease: Lease, database_url: str,
    connection: Connection, paystack: PaystackStandIn,
) -> None:  # fmt: skip
    for _ in range(4):
        due_lease()
    run(*CHECK)
    history = connection.execute(HISTORY).all()
    new: LedgerKey = due_lease()

    copy = restored(dump(database_url))
    assert copy.execute(HISTORY).all() == history
    result = run(*CHECK)

    assert (report_of(result)["billed invoices"], report_of(result)["found at Paystack"]) == (
        1,
        "0",
    )
    assert_all_are_billed_once(copy, paystack, leases=5)
    kept = copy.execute(HISTORY).all()
    assert kept[: len(history)] == history
    assert {row.lease_id for row in kept[len(history) :]} == {new.lease_id}
    assert run(*CHECK).success
    assert len(paystack.requests_to(CREATE)) == 5


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE leaseup_dagster.invoice_history SET reason = 'nothing happened'",
        "DELETE FROM leaseup_dagster.invoice_history",
        "TRUNCATE leaseup_dagster.invoice_history",
    ],
)
def test_a_restored_history_cannot_be_rewritten_either(
    run: Run, dump: Dump, restored: Callable[..., Connection], due_lease: Lease, database_url: str,
    statement: str,
) -> None:  # fmt: skip
    due_lease()
    run(*CHECK)
    copy = restored(dump(database_url))

    with pytest.raises(DBAPIError, match="is append-only"):
        copy.execute(text(statement))


def test_an_older_backup_adopts_what_it_has_forgotten(
    run: Run, dump: Dump, restored: Callable[..., Connection], due_lease: Lease, database_url: str,
    connection: Connection, paystack: PaystackStandIn,
) -> None:  # fmt: skip
    for _ in range(3):
        due_lease()
    run(*CHECK)
    hours_pass(connection, paystack, 24)
    for _ in range(5):
        due_lease()
    yesterday = dump(database_url)
    run(*CHECK)
    paystack.requests.clear()

    copy = restored(yesterday)
    result = run(*CHECK)

    assert (report_of(result)["billed invoices"], report_of(result)["found at Paystack"]) == (
        5,
        "5",
    )
    assert paystack.requests_to(CREATE) == []
    assert_all_are_billed_once(copy, paystack, leases=8)
    assert run("reconcile_payment_requests", {"cut_into_weeks": {"since": "2026-11-01"}}).success
    assert_all_are_billed_once(copy, paystack, leases=8)


def test_dagsters_own_memory_comes_back_too(
    settings: pytest.MonkeyPatch, postgres: Postgres, dump: Dump, restore: Restore, tmp_path: Path
) -> None:
    """Its runs and their events, and space for new ones."""
    (tmp_path / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text("utf-8"))
    name = f"dagster_{tmp_path.parent.name}_{tmp_path.name}"
    postgres.create_database(name)

    def run_in(url: str) -> tuple[str, list[str]]:
        """A run's id, and the ids of all runs there are then."""
        settings.setenv("DAGSTER_POSTGRES_URL", url)
        with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
            job = defs.resolve_job_def("preview_upcoming_invoices")
            done = job.execute_in_process(instance=instance)
            assert all(instance.all_logs(run.run_id) for run in instance.get_runs())
            return done.run_id, [run.run_id for run in instance.get_runs()]

    first, _ = run_in(postgres.url(name, "+psycopg2"))
    second, known = run_in(restore(dump(postgres.url(name)), "+psycopg2"))
    postgres.drop_database(name)

    assert known == [second, first]
