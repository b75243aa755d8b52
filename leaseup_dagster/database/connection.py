"""From DATABASE_URL to an engine that was checked: reachable, LeaseUp's, our schema up to date."""

import logging

from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from leaseup_dagster.database import leaseup, schema
from leaseup_dagster.settings import SettingsError

STATEMENT_TIMEOUT_SECONDS = 30
CONNECT_TIMEOUT_SECONDS = 10

_PRISMA_ONLY = {
    "connection_limit", "pool_timeout", "pgbouncer", "socket_timeout", "statement_cache_size",
    "sslidentity", "sslpassword", "sslaccept",
}  # fmt: skip

log = logging.getLogger(__name__)


def engine_url(database_url: str) -> URL:
    """The URL as psycopg 3 takes it: LeaseUp's own `.env` writes it for Prisma.

    `?schema=` becomes the search path; what only Prisma knows is left out.
    Raises SettingsError without quoting the URL, which holds a password.
    """
    try:
        url = make_url(database_url.replace("postgres://", "postgresql://", 1))
    except ArgumentError:
        url = None
    if url is None or url.get_backend_name() != "postgresql":
        raise SettingsError(
            "DATABASE_URL: must be LeaseUp's PostgreSQL, postgresql://user:password@host/database"
        )
    query = {k: v for k, v in url.query.items() if k not in _PRISMA_ONLY | {"schema"}}
    options = f"-c statement_timeout={STATEMENT_TIMEOUT_SECONDS}s -c timezone=UTC"
    if "schema" in url.query:
        options += f" -c search_path={url.query['schema']}"
    query.setdefault("connect_timeout", str(CONNECT_TIMEOUT_SECONDS))
    query["options"] = f"{query['options']} {options}" if "options" in query else options
    return url.set(drivername="postgresql+psycopg", query=query)


def open_engine(database_url: str, connections: int) -> Engine:
    """An engine on a database that was checked, with up to `connections` connections.

    Our own schema is migrated when it is behind, as `leaseup-dagster migrate` does.
    Raises SettingsError when the database cannot be reached or is not LeaseUp's.
    """
    engine = create_engine(
        engine_url(database_url),
        pool_size=connections,
        max_overflow=0,
        # An error's message ends up in Dagster's event log; a row's values must not.
        hide_parameters=True,
        # A pooler between us and the database does not know prepared statements.
        connect_args={"prepare_threshold": None},
    )
    try:
        _check(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _check(engine: Engine) -> None:
    where = f"{engine.url.host or engine.url.query.get('host', 'localhost')}/{engine.url.database}"
    try:
        with engine.connect() as connection:
            missing = leaseup.missing_columns(connection)
            behind = not missing and schema.current_revision(connection) != schema.HEAD
    except OperationalError as error:
        raise SettingsError(
            f"DATABASE_URL: the database {where} cannot be reached ({_driver_says(error)})."
            " Check that it runs and that host, port, user and password are right."
        ) from None
    if missing:
        shown = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
        raise SettingsError(
            f"DATABASE_URL: {where} does not have LeaseUp's tables: {len(missing)} columns are"
            f" missing ({shown}). Point it at LeaseUp's database, or run LeaseUp's migrations."
        )
    if behind:
        schema.migrate(engine)


def _driver_says(error: DBAPIError) -> str:
    """The last line of the driver's message: it names host and cause, never a password."""
    return str(error.orig).strip().splitlines()[-1][:200]
