"""Rows as a table in a run's metadata."""

from collections.abc import Sequence

from dagster import MetadataValue, TableColumn, TableMetadataValue, TableRecord, TableSchema

Cell = str | int | float | bool
ROWS_SHOWN = 500


def table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> TableMetadataValue:
    """A table of at most `ROWS_SHOWN` rows; numbers are shown as numbers."""
    kinds = {int: "int", float: "float", bool: "bool"}
    first = rows[0] if rows else [""] * len(columns)
    return MetadataValue.table(
        records=[TableRecord(dict(zip(columns, row, strict=True))) for row in rows[:ROWS_SHOWN]],
        schema=TableSchema(
            columns=[
                TableColumn(name, kinds.get(type(cell), "string"))
                for name, cell in zip(columns, first, strict=True)
            ]
        ),
    )
