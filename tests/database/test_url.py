"""DATABASE_URL as LeaseUp's `.env` writes it: each parameter translated, left out or refused."""

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Connection, text

from leaseup_dagster.database.connection import open_engine
from leaseup_dagster.database.url import engine_url, unknown_parameters
from leaseup_dagster.settings import SettingsError

OURS = {"connect_timeout", "options"}


def parameters(query: str) -> dict[str, object]:
    """What psycopg gets beside what each run is."""
    given = engine_url(f"postgresql://someone:hunter2@db/leaseup?{query}").query
    return {name: value for name, value in given.items() if name not in OURS}


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    file = tmp_path / "ca.pem"
    file.write_text("a certificate")
    return file


@pytest.mark.parametrize(
    "parameter",
    [
        "connection_limit=5", "pool_timeout=10", "pgbouncer=true", "socket_timeout=5",
        "statement_cache_size=0", "max_connection_lifetime=60", "max_idle_connection_lifetime=60",
        "sslpassword=x", "uselibpqcompat=true", "encoding=utf8", "client_encoding=latin1",
        "statement_timeout=1", "query_timeout=1", "keepAlive=true", "supa=base-pooler.x",
    ],
)  # fmt: skip
def test_what_only_they_know_is_left_out(parameter: str) -> None:
    assert parameters(parameter) == {}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sslmode=require", {"sslmode": "require"}),
        ("sslmode=no-verify", {"sslmode": "require"}),
        ("ssl=true", {"sslmode": "require"}),
        ("ssl=1&sslmode=verify-full", {"sslmode": "verify-full"}),
        ("ssl=false", {"sslmode": "disable"}),
        ("sslaccept=accept_invalid_certs", {"sslmode": "require"}),
        ("sslaccept=strict", {"sslmode": "verify-full", "sslrootcert": "system"}),
        ("sslmode=require&sslrootcert=system", {"sslmode": "verify-full", "sslrootcert": "system"}),
        ("sslcert={ca}", {"sslmode": "verify-ca", "sslrootcert": "{ca}"}),
        ("sslmode=require&sslcert={ca}&sslaccept=strict",
         {"sslmode": "verify-full", "sslrootcert": "{ca}"}),
        ("sslmode=disable&sslcert={ca}", {"sslmode": "disable"}),
        ("sslcert=/c&sslkey=/k&sslrootcert={ca}&sslmode=verify-full",
         {"sslcert": "/c", "sslkey": "/k", "sslmode": "verify-full", "sslrootcert": "{ca}"}),
        ("application_name=leaseup&channel_binding=require&target_session_attrs=read-write",
         {"application_name": "leaseup", "channel_binding": "require",
          "target_session_attrs": "read-write"}),
        ("host=/run/postgresql", {"host": "/run/postgresql"}),
    ],
)  # fmt: skip
def test_what_they_mean_is_said_in_libpqs_words(
    query: str, expected: dict[str, str], ca_file: Path
) -> None:
    filled = {name: value.format(ca=ca_file) for name, value in expected.items()}

    assert parameters(query.format(ca=ca_file)) == filled


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("sslidentity=client.p12", "sslidentity is Prisma's"),
        ("sslmode=yes", "sslmode must be one of disable, allow"),
        ("ssl=perhaps", "ssl must be one of true, 1"),
        ("sslcert=../nowhere.pem", "there is no file ../nowhere.pem"),
        ("connect_timeout=soon", "connect_timeout must be a whole number"),
    ],
)
def test_what_cannot_be_meant_is_named_with_what_to_write(query: str, why: str) -> None:
    with pytest.raises(SettingsError, match=f"DATABASE_URL: {why}") as error:
        parameters(query)
    assert "hunter2" not in str(error.value)


def test_what_nobody_documents_is_told() -> None:
    assert unknown_parameters("postgresql://h/d?supa=x&sslmod=require&schema=a&max=1") == [
        "sslmod", "supa",
    ]  # fmt: skip


def test_for_ever_is_too_long() -> None:
    assert engine_url("postgresql://h/d?connect_timeout=0").query["connect_timeout"] == "10"


@pytest.mark.parametrize("schema", ["App", "my schema", 'odd "one"\\', "a,b", "$user", "ünit"])
def test_a_schema_with_capitals_or_odd_characters_is_found(
    schema: str, database_url: str, connection: Connection
) -> None:
    quoted = schema.replace('"', '""')
    connection.exec_driver_sql(f'ALTER SCHEMA public RENAME TO "{quoted}"')
    url = engine_url(database_url).update_query_dict({"schema": schema})
    plain = url.set(drivername="postgresql").difference_update_query(["options", "connect_timeout"])

    if schema == "$user":  # a name that the search path takes for another one
        with pytest.raises(SettingsError, match="does not have LeaseUp's tables"):
            open_engine(plain.render_as_string(hide_password=False), 1)
        return
    engine = open_engine(plain.render_as_string(hide_password=False), 1)
    with engine.connect() as found:
        assert found.execute(text("SELECT count(*) FROM lease")).scalar() == 0
    engine.dispose()


def test_every_parameter_that_is_handed_on_is_one_of_libpqs(ca_file: Path) -> None:
    query = parameters(f"sslcert={ca_file}&application_name=a&keepalives=1&gssencmode=disable")

    assert conninfo_to_dict(**query) == {name: str(value) for name, value in query.items()}
