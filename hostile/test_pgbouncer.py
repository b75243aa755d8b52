"""PgBouncer in transaction mode, with the URL as the only setting."""

import pytest
from sqlalchemy import Engine, text

from leaseup_dagster.database.connection import open_engine
from leaseup_dagster.database.schema import HEAD, current_revision, migrate
from leaseup_dagster.sandbox.postgres import Postgres


@pytest.fixture
def pooled(through: str):
    """The product's engine, through the pooler."""
    engine = open_engine(through, 8, run_id="a-run")
    yield engine
    engine.dispose()


SETTINGS = text(
    "SELECT current_setting('TimeZone'), current_setting('statement_timeout'),"
    " current_setting('leaseup.run_id', true), current_setting('search_path')"
)
OURS = ("UTC", "30s", "a-run", '"$user", public')


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "AUTOCOMMIT"])
def test_our_settings_apply_whatever_other_clients_set(
    pooled: Engine, through: str, isolation: str
) -> None:
    spoil(through)
    engine = pooled.execution_options(isolation_level=isolation)
    for _ in range(12):
        with engine.connect() as connection:
            assert tuple(connection.execute(SETTINGS).one()) == OURS
            connection.execute(text("CREATE TABLE IF NOT EXISTS written (x int)"))


def test_our_settings_do_not_reach_other_clients(pooled: Engine, database_url: str) -> None:
    for _ in range(12):
        with pooled.connect() as connection:
            connection.execute(SETTINGS)
    direct = open_engine(database_url, 1)
    with direct.connect() as connection:
        assert connection.execute(SETTINGS).one()[2] != "a-run"
    direct.dispose()


def test_statements_are_not_prepared(pooled: Engine) -> None:
    for _ in range(40):
        with pooled.connect() as connection:
            connection.execute(text("SELECT :n + 1"), {"n": 1})
    with pooled.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM pg_prepared_statements")).scalar() == 0


def test_migrations_run_through_the_pooler(pooler: int, postgres: Postgres) -> None:
    postgres.create_leaseup("bare_pooled")
    try:
        engine = open_engine(
            f"postgresql://postgres@127.0.0.1:{pooler}/bare_pooled?sslmode=disable", 2
        )
        migrate(engine)
        with engine.connect() as connection:
            assert current_revision(connection) == HEAD
        engine.dispose()
    finally:
        postgres.drop_database("bare_pooled")


def spoil(through: str) -> None:
    """Another client of the pooler leaves its settings on every server connection."""
    import psycopg

    address = through.partition("?")[0]
    clients = [psycopg.connect(address, prepare_threshold=None) for _ in range(3)]
    for client in clients:  # each occupies one of the three while it is in a transaction
        client.execute("SET search_path = pg_catalog; SET statement_timeout = '1h'")
        client.execute("SET default_transaction_read_only = on; SET lock_timeout = '1s'")
    for client in clients:
        client.commit()
        client.close()


def test_dagsters_storage_does_not_work_through_the_pooler(through: str) -> None:
    """Its UI and its runs set a time limit at the start of a session: see docs/operations.md."""
    import psycopg2  # type: ignore[import-untyped]

    with pytest.raises(psycopg2.OperationalError, match="unsupported startup parameter"):
        psycopg2.connect(through.partition("?")[0], options="-c statement_timeout=30000")
