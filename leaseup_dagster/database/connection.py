"""From DATABASE_URL to an engine that was checked: reachable, LeaseUp's, our schema up to date."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from leaseup_dagster.database import leaseup, schema
from leaseup_dagster.database.session import session_engine
from leaseup_dagster.settings import SettingsError

STATEMENT_TIMEOUT_SECONDS = 30
CONNECT_TIMEOUT_SECONDS = 10

_PRISMA_ONLY = {
    "connection_limit", "pool_timeout", "pgbouncer", "socket_timeout", "statement_cache_size",
    "sslidentity", "sslpassword", "sslaccept",
}  # fmt: skip

# A host that vanished is noticed within a minute: nobody waits for it until the kernel gives up.
_PATIENCE = {
    "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}  # fmt: skip


def engine_url(database_url: str, run_id: str = "") -> URL:
    """The URL as psycopg 3 takes it: LeaseUp's own `.env` writes it for Prisma.

    `?schema=` becomes the search path; what only Prisma knows is left out. `run_id` is told to
    the database: the ledgers' history says of each change which run made it.
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
    if run_id:
        options += f" -c leaseup.run_id={run_id}"
    query.setdefault("connect_timeout", str(CONNECT_TIMEOUT_SECONDS))
    query["options"] = f"{query['options']} {options}" if "options" in query else options
    return url.set(drivername="postgresql+psycopg", query=query)


def open_engine(database_url: str, connections: int, run_id: str = "") -> Engine:
    """An engine on a database that was checked, with up to `connections` connections,
    which work for the run `run_id`.

    Our own schema is migrated when it is behind, as `leaseup-dagster migrate` does.
    Raises SettingsError when the database cannot be reached or is not LeaseUp's.
    """
    engine = session_engine(
        engine_url(database_url, run_id),
        pool_size=connections,
        max_overflow=0,
        # An error's message ends up in Dagster's event log; a row's values must not.
        hide_parameters=True,
        connect_args=_PATIENCE,
    )
    try:
        revision = check(engine)
        # A newer schema is a newer release's, which only adds to it.
        if revision is None or revision < schema.HEAD:
            schema.migrate(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


_shared: dict[tuple[str, int, str], tuple[Engine, int]] = {}
_sharing = threading.Lock()


@contextmanager
def shared_engine(database_url: str, connections: int, run_id: str = "") -> Iterator[Engine]:
    """`open_engine`, once for all in this process that ask for the same.

    Dagster makes a resource anew for each other resource that needs it.
    """
    key = (database_url, connections, run_id)
    with _sharing:
        engine, users = _shared.get(key) or (open_engine(*key), 0)
        _shared[key] = engine, users + 1
    try:
        yield engine
    finally:
        with _sharing:
            engine, users = _shared.pop(key)
            if users > 1:
                _shared[key] = engine, users - 1
            else:
                engine.dispose()


def check(engine: Engine) -> str | None:
    """The revision of our schema in a database that is LeaseUp's; None if it is not there yet.

    Changes nothing. Raises SettingsError when the database cannot be reached or is another one.
    """
    where = f"{engine.url.host or engine.url.query.get('host', 'localhost')}/{engine.url.database}"
    try:
        with engine.connect() as connection:
            missing = leaseup.missing_columns(connection)
            forbidden = [] if missing else leaseup.missing_privileges(connection)
            revision = None if missing else schema.current_revision(connection)
    except OperationalError as error:
        raise SettingsError(
            f"DATABASE_URL: the database {where} cannot be reached ({_driver_says(error)})."
            " Check that it runs, and that host, port, database, user and password are right."
        ) from None
    if missing:
        shown = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
        raise SettingsError(
            f"DATABASE_URL: {where} does not have LeaseUp's tables: {len(missing)} columns are"
            f" missing ({shown}). Point it at LeaseUp's database, or run LeaseUp's migrations."
        )
    if forbidden:
        raise SettingsError(
            f"DATABASE_URL: the user {engine.url.username or 'connected'} lacks"
            f" {', '.join(forbidden)} in {where}. GRANT it, or use LeaseUp's own user."
        )
    return revision


def _driver_says(error: DBAPIError) -> str:
    """The first line of the driver's message: it names host and cause, never a password."""
    return str(error.orig).strip().splitlines()[0][:200]
