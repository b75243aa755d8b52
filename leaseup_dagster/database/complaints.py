"""What the database says → one sentence: what is wrong, which setting, what to do.

An error's own message comes first in Dagster's UI, so it is this sentence; the statement, which
fills a page, and a row's values, which are nobody's business, are left out of it.
"""

from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError

_CHECK = "`leaseup-dagster check` lists all that it lacks, each with its GRANT."
_CONNECTIONS = (
    "The database refuses one more connection. A run opens up to 2 × TASK_BATCH_SIZE + 2 of them:"
    " lower TASK_BATCH_SIZE, or raise the role's CONNECTION LIMIT or max_connections."
)
_READ_ONLY = (
    "The database only reads: it is a standby, or default_transaction_read_only is on."
    " Point DATABASE_URL at the server that writes."
)

# By SQLSTATE, or its class: the first two characters. A whole one goes before its class.
_ADVICE = {
    "42501": _CHECK,
    "42": "Its tables are not as this release knows them: run `leaseup-dagster check`.",
    "25006": _READ_ONLY,
    "28": "Check user and password in DATABASE_URL.",
    "3D": "Check the database's name in DATABASE_URL.",
    "53300": _CONNECTIONS,
    "53": "Its server has no space left (disk or memory): make some, and launch again.",
    "55P03": "Somebody holds a lock on it: search for who, and launch again.",
    "57014": "It took too long, or somebody ended it. Launch again; if it repeats, check the"
    " server's load.",
    "57": "Its server stopped or is starting. Launch again.",
    "40": "Two transactions were in each other's way. Launch again.",
    "08": "The connection was lost. Launch again.",
    "23502": "LeaseUp requires a column that this release does not fill: update this product.",
    "23": "A rule of one of its tables forbids the row.",
    "22": "It holds a value that was not expected.",
    "P0": "A trigger or function of its own refused: ask whoever made it.",
}

# The words of the database, where they are certain to quote no row.
_QUOTED = ("08", "25", "28", "3D", "42", "53", "55", "57")


def speak_plainly(engine: Engine) -> None:
    """From here on whatever the engine's database refuses is reported `in_words`."""

    @event.listens_for(engine, "handle_error")
    def _(context: Any) -> None:
        error = context.sqlalchemy_exception
        if isinstance(error, DBAPIError):
            error.args = (in_words(error),)
            error.statement = error.params = None
            error.code = None  # type: ignore[assignment]  # or a link about the class is added


def in_words(error: DBAPIError) -> str:
    """One sentence or two. Names tables, columns and the user, never a value."""
    state = _state(error)
    advice = _ADVICE.get(state) or _ADVICE.get(state[:2], "Launch again.")
    return f"DATABASE_URL: {_said(error, state)}. {advice}"


def is_passing(error: DBAPIError) -> bool:
    """Whether the same statement may well succeed a moment later."""
    return _state(error)[:2] in ("08", "40", "53", "55", "57", "")


def is_full(error: DBAPIError) -> bool:
    """Whether it is there, and takes no further connection."""
    return _state(error) == "53300"


def _state(error: DBAPIError) -> str:
    """The SQLSTATE; of a refused connection only the words say it."""
    state = getattr(error.orig, "sqlstate", None)
    if state:
        return str(state)
    said = str(error.orig).lower()
    known = {
        "too many connections": "53300", "remaining connection slots": "53300",
        "no more connections": "53300", "max clients": "53300",
        "password authentication failed": "28P01", "does not exist": "3D000",
        "starting up": "57P03", "shutting down": "57P03",
    }  # fmt: skip
    return next((code for words, code in known.items() if words in said), "08000")


def _said(error: DBAPIError, state: str) -> str:
    context = getattr(getattr(error.orig, "diag", None), "context", None)
    function = _function(context)
    if state[:2] in _QUOTED or (function and "leaseup_dagster." in function):  # or our own
        lines = str(error.orig).strip().splitlines()
        return f"the database says: {lines[0][:200] if lines else type(error.orig).__name__}"
    name = type(error.orig).__name__
    found = getattr(error.orig, "diag", None)
    parts = (
        ("table", getattr(found, "table_name", None)),
        ("column", getattr(found, "column_name", None)),
        ("constraint", getattr(found, "constraint_name", None)),
        ("in", function),
    )
    where = ", ".join(f"{kind} {value}" for kind, value in parts if value)
    return f"the database refuses with {name}" + (f" ({where})" if where else "")


def _function(context: str | None) -> str | None:
    """The function that raised it: `PL/pgSQL function refuse() line 3 at RAISE`."""
    first = (context or "").strip().splitlines()[:1]
    return first[0].split(" line ")[0] if first and first[0].startswith("PL/pgSQL") else None
