"""DATABASE_URL as LeaseUp's own `.env` writes it, for Prisma or node's driver, translated for
psycopg.

A parameter of libpq is handed on; one of theirs is translated, left out, or refused with what to
write instead. docs/operations.md has the table.
"""

from collections.abc import Mapping
from pathlib import Path

from psycopg.pq import Conninfo
from sqlalchemy import URL, make_url, text
from sqlalchemy.exc import ArgumentError

from leaseup_dagster.settings import SettingsError

STATEMENT_TIMEOUT_SECONDS = 30
ALLOW_LONG = text("SET LOCAL statement_timeout = '180s'")
"""For the rest of its transaction, which goes over the whole portfolio."""
CONNECT_TIMEOUT_SECONDS = 10

_NOT_OURS = {
    # Their pools and caches; of connection_limit see below.
    "connection_limit", "pool_timeout", "pgbouncer", "socket_timeout", "statement_cache_size",
    "max_connection_lifetime", "max_idle_connection_lifetime", "single_use_connections",
    "max", "min", "idleTimeoutMillis", "connectionTimeoutMillis", "keepAlive",
    "keepAliveInitialDelayMillis", "allowExitOnIdle", "query_timeout", "binary",
    # Limits and encodings that are set for every run alike.
    "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout",
    "client_encoding", "encoding",
    # They say how node's driver reads the next ones; here they are read as libpq does.
    "uselibpqcompat",
}  # fmt: skip

_TRANSLATED = {"schema", "ssl", "sslmode", "sslcert", "sslaccept", "sslidentity", "sslpassword"}

_LIBPQ = {option.keyword.decode() for option in Conninfo.get_defaults()}

_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_SSL = {
    "true": "require", "1": "require", "no-verify": "require", "false": "disable", "0": "disable",
}  # fmt: skip


def engine_url(database_url: str, run_id: str = "") -> URL:
    """The URL as psycopg 3 takes it.

    `?schema=` becomes the search path. `run_id` is passed to the database: the ledgers' history
    says of each change which run made it. Raises SettingsError without quoting the URL, which holds
    a password.
    """
    url = _parsed(database_url)
    given = _single(url)
    query = {name: value for name, value in given.items() if name in _LIBPQ}
    query = {name: value for name, value in query.items() if name not in _NOT_OURS | _TRANSLATED}
    query |= _tls(given)
    query["connect_timeout"] = _seconds(given.get("connect_timeout", ""))
    options = f"-c statement_timeout={STATEMENT_TIMEOUT_SECONDS}s -c timezone=UTC"
    path = search_path(database_url)
    if path:
        options += f" -c search_path={_one_word(path)}"
    if run_id:
        options += f" -c leaseup.run_id={run_id}"
    query["options"] = f"{query['options']} {options}" if "options" in query else options
    return url.set(drivername="postgresql+psycopg", query=query)


def search_path(database_url: str) -> str | None:
    """The schema that `?schema=` names, quoted, as a search path; None without it."""
    schema = _single(_parsed(database_url)).get("schema")
    return '"' + schema.replace('"', '""') + '"' if schema else None


def connection_limit(database_url: str) -> int | None:
    """How many connections at once Prisma's `?connection_limit=` allows; None without it."""
    given = _single(_parsed(database_url)).get("connection_limit", "")
    return int(given) if given.isdigit() and int(given) else None


def unknown_parameters(database_url: str) -> list[str]:
    """Parameters that nobody documents: they are left out, as Prisma and node's driver do."""
    known = _LIBPQ | _NOT_OURS | _TRANSLATED
    return sorted(set(_parsed(database_url).query) - known)


def _parsed(database_url: str) -> URL:
    try:
        url = make_url(database_url.strip().replace("postgres://", "postgresql://", 1))
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.get_backend_name() != "postgresql":
        raise SettingsError(
            "DATABASE_URL: must be LeaseUp's PostgreSQL, postgresql://user:password@host/database"
        )
    return url


def _single(url: URL) -> dict[str, str]:
    """Of a parameter that is written twice the last counts; several hosts are all meant."""
    return {
        name: value if isinstance(value, str) else ",".join(value) if name in _LISTS else value[-1]
        for name, value in url.query.items()
    }


_LISTS = ("host", "hostaddr", "port")


def _tls(given: Mapping[str, str]) -> dict[str, str]:
    """Encrypted or not, and what of the server's certificate is examined, in libpq's words."""
    if given.get("sslidentity"):
        raise SettingsError(
            "DATABASE_URL: sslidentity is Prisma's: a client certificate in PKCS #12, which"
            " PostgreSQL's own library cannot read. Take it apart with `openssl pkcs12` and write"
            " sslcert=FILE&sslkey=FILE&sslrootcert=FILE"
        )
    mode = given.get("sslmode") or _ssl_mode(given.get("ssl", ""))
    if mode and mode not in (*_SSL_MODES, "no-verify"):
        raise SettingsError(
            f"DATABASE_URL: sslmode must be one of {', '.join(_SSL_MODES)} (or node's no-verify)"
        )
    authority = given.get("sslrootcert")
    if "sslkey" in given:  # as libpq and node's driver mean it: the client's own
        client = {name: given[name] for name in ("sslcert", "sslpassword") if given.get(name)}
    else:  # as Prisma means it: the certificate of whoever signed the server's
        client, authority = {}, authority or given.get("sslcert")
    if mode == "disable":
        return {"sslmode": mode}
    if mode == "no-verify" or given.get("sslaccept") == "accept_invalid_certs":
        return client | {"sslmode": "require"}
    if given.get("sslaccept") == "strict":
        mode, authority = "verify-full", authority or "system"
    elif authority and mode not in ("verify-ca", "verify-full"):
        mode = "verify-full" if authority == "system" else "verify-ca"
    found = client | ({"sslmode": mode} if mode else {})
    return found | ({"sslrootcert": _file(authority)} if authority else {})


def _ssl_mode(ssl: str) -> str:
    if ssl and ssl not in _SSL:
        raise SettingsError(f"DATABASE_URL: ssl must be one of {', '.join(_SSL)}")
    return _SSL.get(ssl, "")


def _file(authority: str) -> str:
    """Prisma resolves paths from its own folder; nothing here does."""
    if authority != "system" and not Path(authority).is_file():
        raise SettingsError(
            f"DATABASE_URL: there is no file {authority} with the certificate of the server's"
            " authority (sslrootcert, or Prisma's sslcert). Prisma searches for it from its folder"
            " prisma/: write the whole path, and see that this user may read it"
        )
    return authority


def _seconds(text: str) -> str:
    """0 is for ever there; a run has no time for that."""
    if text and not text.isdigit():
        raise SettingsError("DATABASE_URL: connect_timeout must be a whole number of seconds")
    return text if text.strip("0") else str(CONNECT_TIMEOUT_SECONDS)


def _one_word(value: str) -> str:
    """As libpq's `options` want it: a backslash before what would end it."""
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
