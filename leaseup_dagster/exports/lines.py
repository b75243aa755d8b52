"""How a row is written: a line of CSV that no spreadsheet takes for a formula, or of JSON. Pure."""

import csv
import json
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, TextIO

from leaseup_dagster.csv_cells import harmless
from leaseup_dagster.exports.rows import MONEY


def write_csv(columns: Sequence[str], rows: Iterable[Any], to: TextIO) -> int:
    """How many rows there were."""
    writer = csv.writer(to, lineterminator="\n")
    writer.writerow(columns)
    number = 0
    for row in rows:
        number += 1
        cells = _values(columns, row)
        # An amount is ours: a minus before it is no formula.
        writer.writerow(c if n in MONEY else harmless(c) for n, c in cells.items())
    return number


def write_json(columns: Sequence[str], rows: Iterable[Any], to: TextIO) -> int:
    """One object a line; how many there were."""
    number = 0
    for row in rows:
        number += 1
        to.write(json.dumps(_values(columns, row)) + "\n")
    return number


def _values(columns: Sequence[str], row: Any) -> dict[str, Any]:
    return {
        name: rands(value) if name in MONEY else _plain(value)
        for name, value in zip(columns, row, strict=True)
    }


def rands(cents: Any) -> str:
    """Whole cents as `8500.00`; an amount that is none is empty."""
    if cents is None or not Decimal(cents).is_finite():
        return ""
    return f"{Decimal(cents) / 100:.2f}"


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else "" if value is None else value
