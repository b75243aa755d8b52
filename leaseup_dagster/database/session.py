"""What must hold for each statement, set where it holds: in a session, or in each transaction.

Behind a pooler in transaction mode (PgBouncer and its like) a connection is lent for one
transaction. What was set before it is gone or somebody else's, and the pooler refuses or ignores
what a session wants from its start. So nothing is asked for at the start, and whether the
connection is our own is found out.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus
from sqlalchemy import URL, Engine, create_engine, event

_WORD = re.compile(r"(?:\\.|[^\s\\])+")
_OWN_SESSION_PREPARES_AFTER = 5
# Others' settings that would matter here; from the defaults of the role and database.
_DEFAULTS = ("search_path", "lock_timeout", "synchronous_commit")


def session_engine(url: URL, **arguments: Any) -> Engine:
    """SQLAlchemy's engine for `url`. What its `options` set (`-c name=value`) holds for each
    statement, also through a pooler. `arguments` are `create_engine`'s.
    """
    url, settings = _apart(url)
    patience = arguments.pop("connect_args", {})
    # A statement that was prepared is unknown to the next connection that a pooler lends.
    engine = create_engine(url, connect_args=patience | {"prepare_threshold": None}, **arguments)

    @event.listens_for(engine, "connect")
    def _(connection: Any, _record: object) -> None:
        _settle(connection, settings)

    return engine


def _apart(url: URL) -> tuple[URL, dict[str, str]]:
    """The URL without the settings in its `options`, and these. Other words stay: some hosts read
    there which database is meant."""
    given = url.query.get("options", "")
    words = [re.sub(r"\\(.)", r"\1", word) for word in _WORD.findall(str(given))]
    settings, rest = {}, []
    following = iter(words)
    for word in following:
        setting = next(following, "") if word == "-c" else word[2:] if word[:2] == "-c" else ""
        name, found, value = setting.partition("=")
        if found:
            settings[name] = value
        else:
            rest.append(word)
    url = url.difference_update_query(["options"])
    return url.update_query_dict({"options": " ".join(rest)} if rest else {}), settings


def _settle(connection: "psycopg.Connection[Any]", settings: dict[str, str]) -> None:
    own = connection.autocommit
    connection.autocommit = True
    (pid,) = connection.execute("SELECT pg_backend_pid()").fetchone() or (0,)
    if pid == connection.info.backend_pid:
        connection.execute(_set("SESSION", settings))
        connection.prepare_threshold = _OWN_SESSION_PREPARES_AFTER
    else:  # who answers is not who said hello: a pooler is in between
        defaults = dict.fromkeys(_DEFAULTS) | {"leaseup.run_id": ""}
        connection.settings = _set("LOCAL", defaults | settings)  # type: ignore[attr-defined]
        connection.cursor_factory = _Cursor
        connection.server_cursor_factory = _ServerCursor
        # Others may have left theirs as a default.
        connection.read_only = False
        connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
    connection.autocommit = own


def _set(scope: str, settings: dict[str, Any]) -> sql.Composed:
    """All in one message: a round trip, however many they are."""
    return sql.SQL("; ").join(_one(scope, name, value) for name, value in settings.items())


def _one(scope: str, name: str, value: str | None) -> sql.Composed:
    setting = sql.Identifier(*name.split("."))
    if value is None:
        return sql.SQL("SET {} {} TO DEFAULT").format(sql.SQL(scope), setting)
    holds_for = sql.SQL("true" if scope == "LOCAL" else "false")
    # A search path is several names in one text, which SET would take for one.
    return sql.SQL("SELECT set_config({}, {}, {})").format(
        sql.Literal(name), sql.Literal(value), holds_for
    )


@contextmanager
def _settled(connection: Any) -> Iterator[None]:
    """With the settings: a statement that would stand for itself gets a transaction around it."""
    if connection.info.transaction_status != TransactionStatus.IDLE:
        yield
    elif connection.autocommit:
        with connection.transaction():
            psycopg.Cursor(connection).execute(connection.settings)
            yield
    else:
        psycopg.Cursor(connection).execute(connection.settings)
        yield


class _Cursor(psycopg.Cursor[Any]):
    def execute(self, *args: Any, **kwargs: Any) -> "_Cursor":
        with _settled(self.connection):
            return super().execute(*args, **kwargs)

    def executemany(self, *args: Any, **kwargs: Any) -> None:
        with _settled(self.connection):
            super().executemany(*args, **kwargs)


class _ServerCursor(psycopg.ServerCursor[Any]):
    def execute(self, *args: Any, **kwargs: Any) -> "_ServerCursor":
        with _settled(self.connection):
            return super().execute(*args, **kwargs)
