"""DATABASE_URL as LeaseUp's own `.env` writes it, translated for psycopg."""

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from leaseup_dagster.settings import SettingsError

STATEMENT_TIMEOUT_SECONDS = 30
CONNECT_TIMEOUT_SECONDS = 10

_PRISMA_ONLY = {
    "connection_limit", "pool_timeout", "pgbouncer", "socket_timeout", "statement_cache_size",
    "sslidentity", "sslpassword", "sslaccept",
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
