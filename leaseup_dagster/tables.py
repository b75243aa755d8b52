"""Rows for people, in a run's metadata: as tables, and as one page to read."""

import re
from collections.abc import Iterator, Mapping, Sequence

from dagster import MetadataValue, TableColumn, TableMetadataValue, TableRecord, TableSchema

Cell = str | int | float | bool
ROWS_SHOWN = 500
_LINES_SHOWN_WHOLE = 10
"""So many lines of one event the UI shows; of more it hides the rest."""


Section = tuple[Sequence[str], Sequence[Sequence[Cell]]]
"""Column names, and rows."""


_LINKS = {"payment request": "https://paystack.shop/pay/"}
"""Columns whose cells lead somewhere on the page: a payment request, to what its tenant sees."""


def page_and_tables(headline: str, sections: Mapping[str, Section]) -> dict[str, MetadataValue]:
    """A page that says it all, under `report`; and each section with rows as a table."""
    filled = {name: section for name, section in sections.items() if section[1]}
    page = [headline, *(_markdown(name, *section) for name, section in filled.items())]
    tables = {name: table(*section) for name, section in filled.items()}
    return {"report": MetadataValue.md("\n\n".join(page)), **tables}


def _markdown(name: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    def line(cells: Sequence[Cell]) -> str:
        said = (str(cell).replace("|", "\\|") for cell in cells)
        return "| " + " | ".join(_AMOUNT.sub(_on_one_line, cell) for cell in said) + " |"

    def linked(row: Sequence[Cell]) -> list[Cell]:
        return [
            f"[{cell}]({_LINKS[column]}{cell})" if cell and column in _LINKS else cell
            for column, cell in zip(columns, row, strict=True)
        ]

    more = [f"… and {len(rows) - ROWS_SHOWN} more"] if len(rows) > ROWS_SHOWN else []
    body = [line(columns), line(["---"] * len(columns)), *map(line, map(linked, rows[:ROWS_SHOWN]))]
    return "\n".join([f"**{name}**", "", *body, "", *more])


def shown_whole(lines: Sequence[str]) -> Iterator[str]:
    """A list for the log, in events of which the UI hides nothing behind a click."""
    parts = range(0, len(lines), _LINES_SHOWN_WHOLE)
    return ("\n".join(lines[start : start + _LINES_SHOWN_WHOLE]) for start in parts)


_AMOUNT = re.compile(r"R\d{1,3}(?: \d{3})+")


def _on_one_line(amount: re.Match[str]) -> str:
    """A narrow column must not break `R8 500.00` in two."""
    return amount[0].replace(" ", "\N{NO-BREAK SPACE}")


def markdown(said: str) -> MetadataValue:
    """What the UI shows as a page."""
    return MetadataValue.md(said)


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
