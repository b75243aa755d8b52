"""From DATABASE_URL to an engine that was checked: reachable, LeaseUp's, our schema up to date."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from leaseup_dagster.database import complaints, grants, leaseup, schema
from leaseup_dagster.database.session import session_engine
from leaseup_dagster.database.url import connection_limit, engine_url
from leaseup_dagster.settings import SettingsError

# A host that vanished is noticed within a minute: nobody waits for it until the kernel gives up.
_PATIENCE = {
    "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}  # fmt: skip

# A plan in shards holds one for each, and asks for nothing else meanwhile.
_FEWEST = 2


def open_engine(database_url: str, connections: int, run_id: str = "") -> Engine:
    """An engine on a database that was checked, with up to `connections` connections, or what
    the URL's `connection_limit` allows; they work for the run `run_id`.

    Our own schema is migrated when it is behind, as `leaseup-dagster migrate` does.
    Raises SettingsError when the database cannot be reached or is not LeaseUp's.
    """
    allowed = connection_limit(database_url) or connections
    engine = session_engine(
        engine_url(database_url, run_id),
        pool_size=min(connections, max(allowed, _FEWEST)),
        max_overflow=0,
        # An error's message ends up in Dagster's event log; a row's values must not.
        hide_parameters=True,
        connect_args=_PATIENCE,
    )
    complaints.speak_plainly(engine)
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
            schema_name = leaseup.schema_of(connection)
            missing = leaseup.missing_columns(connection, schema_name)
            if not schema_name or missing:
                raise SettingsError(
                    f"DATABASE_URL: {where} does not have LeaseUp's tables: {len(missing)} columns"
                    f" are missing ({_first(missing)}). Point it at LeaseUp's database, or run"
                    " LeaseUp's migrations."
                )
            grants.require(connection, schema_name, where)
            return schema.current_revision(connection)
    except OperationalError as error:
        if complaints.is_full(error):
            raise SettingsError(complaints.in_words(error)) from None
        raise SettingsError(
            f"DATABASE_URL: the database {where} cannot be reached ({_driver_says(error)})."
            " Check that it runs, and that host, port, database, user and password are right."
        ) from None


def _first(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")


def _driver_says(error: DBAPIError) -> str:
    """The first line of the driver's message: it names host and cause, never a password."""
    return str(error.orig).strip().splitlines()[0][:200]
