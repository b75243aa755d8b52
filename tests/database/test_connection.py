"""From DATABASE_URL to an engine: what is understood, and what is said when it is wrong."""

import socket

import pytest
from sqlalchemy import Connection, make_url, text

from leaseup_dagster.database.connection import open_engine
from leaseup_dagster.database.url import engine_url
from leaseup_dagster.sandbox.postgres import Postgres
from leaseup_dagster.settings import SettingsError


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_any_spelling_of_postgresql_is_opened_with_psycopg_3(scheme: str) -> None:
    url = engine_url(f"{scheme}://someone:secret@db.example.com:6543/leaseup?sslmode=require")

    assert (url.drivername, url.host, url.port) == ("postgresql+psycopg", "db.example.com", 6543)
    assert url.query["sslmode"] == "require"


def test_what_only_prisma_understands_is_left_out() -> None:
    url = engine_url("postgresql://h/leaseup?schema=app&connection_limit=5&pgbouncer=true")

    assert set(url.query) == {"connect_timeout", "options"}
    assert '-c search_path="app"' in url.query["options"]


@pytest.mark.parametrize("url", ["mysql://u:secret@h/d", "secret", "postgresql//secret@h"])
def test_what_is_no_postgresql_url_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL: must be LeaseUp's PostgreSQL") as error:
        engine_url(url)
    assert "secret" not in str(error.value)


def test_a_database_that_cannot_be_reached_is_named_without_its_password() -> None:
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        port = nobody_listens.getsockname()[1]
        with pytest.raises(SettingsError, match="cannot be reached") as error:
            open_engine(f"postgresql://u:hunter2@127.0.0.1:{port}/leaseup", 1)
    assert "127.0.0.1/leaseup" in str(error.value)
    assert "hunter2" not in str(error.value)


def test_another_applications_database_is_named_with_what_is_missing(postgres: Postgres) -> None:
    with pytest.raises(
        SettingsError, match=r"does not have LeaseUp's tables: \d+ columns"
    ) as error:
        open_engine(postgres.url("postgres"), 1)
    assert "invoice.category" in str(error.value)


def test_an_older_leaseup_is_told_by_the_missing_column(
    postgres: Postgres, database_url: str
) -> None:
    engine = open_engine(database_url, 1)
    with engine.begin() as connection:
        connection.execute(text('ALTER TABLE "user" DROP COLUMN "paystackSplitGroupId"'))
    engine.dispose()
    with pytest.raises(SettingsError, match=r"1 columns are missing \(user.paystackSplitGroupId\)"):
        open_engine(database_url, 1)


def test_a_statement_cannot_run_for_ever(database_url: str) -> None:
    engine = open_engine(database_url, 1)
    with engine.connect() as connection:
        assert connection.execute(text("SHOW statement_timeout")).scalar() == "30s"
        assert connection.execute(text("SHOW timezone")).scalar() == "UTC"
    engine.dispose()


def test_leaseup_in_another_schema_is_found(postgres: Postgres, database_url: str) -> None:
    engine = open_engine(database_url, 1)
    with engine.begin() as connection:
        connection.execute(text("ALTER SCHEMA public RENAME TO app"))
    engine.dispose()

    moved = open_engine(f"{database_url}&schema=app", 1)

    with moved.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM lease")).scalar() == 0
    moved.dispose()


def test_a_user_who_may_only_read_is_refused_before_anything_is_sent(
    database_url: str, connection: Connection
) -> None:
    connection.exec_driver_sql(
        "CREATE ROLE reader LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;"
        " GRANT USAGE ON SCHEMA leaseup_dagster TO reader;"
        " GRANT ALL ON ALL TABLES IN SCHEMA leaseup_dagster TO reader;"
        ' GRANT UPDATE ("paystackCustomerId", "updatedAt") ON tenant TO reader'
    )
    reader = make_url(database_url).set(username="reader").render_as_string()

    try:
        with pytest.raises(SettingsError, match="the user reader lacks INSERT on invoice") as error:
            open_engine(reader, 1)
    finally:
        connection.exec_driver_sql("DROP OWNED BY reader; DROP ROLE reader")
    assert "on tenant" not in str(error.value), "the columns that are written are enough"
