"""A cell of a CSV file that a spreadsheet shows as it is. Pure."""

from decimal import Decimal

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def harmless(cell: object) -> str:
    """The cell as text that no spreadsheet takes for a formula."""
    said = "" if cell is None else str(cell)
    if isinstance(cell, int | float | Decimal):  # a minus before a number is no formula
        return said
    # Some trim a cell before they check it.
    return f"'{said}" if said.startswith(_FORMULA) or said.lstrip().startswith(_FORMULA) else said
