"""From the database to a file, a few rows in memory at a time."""

import sys
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from sqlalchemy import Engine, Select, text

from leaseup_dagster.database import ids
from leaseup_dagster.exports.lines import write_csv, write_json

_AT_A_TIME = 1000
_ALLOW_LONG = text("SET LOCAL statement_timeout = '600s'")


class CannotList(ValueError):
    """What was asked for cannot be listed. The message says why."""


def export(
    engine: Engine,
    what: str,
    columns: Sequence[str],
    rows: Select[Any],
    *,
    landlord: str,
    as_json: bool,
    to: TextIO,
) -> None:
    """Write the rows of one statement, and nothing of them is kept. Says on stderr if there are
    none. Raises CannotList for an id that is no landlord's."""
    with engine.connect() as connection:
        if landlord and ids.kind_of(connection, landlord) != "a landlord":
            raise CannotList(ids.not_a("a landlord", connection, landlord))
        connection.execute(_ALLOW_LONG)
        streaming = connection.execution_options(stream_results=True, yield_per=_AT_A_TIME)
        found: Iterator[Any] = iter(streaming.execute(rows))
        number = (write_json if as_json else write_csv)(columns, found, to)
    if number == 0:
        print(f"0 {what}", file=sys.stderr)
