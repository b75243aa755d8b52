"""The arrears at a glance, as an SVG: their ages, and billed against collected by month. Pure."""

import base64
from collections.abc import Sequence
from html import escape

from leaseup_dagster.arrears.ageing import Age
from leaseup_dagster.arrears.summary import Arrears, Month
from leaseup_dagster.money import format_rands

WIDTH, HEIGHT = 760, 300
_AGES = {
    Age.NOT_YET_DUE: "#9fb3c8",
    Age.TO_30: "#f0b429",
    Age.TO_60: "#de911d",
    Age.TO_90: "#cb6e17",
    Age.OVER_90: "#b44d12",
}
_BILLED, _COLLECTED = "#bcccdc", "#27ab83"


def picture(found: Arrears) -> str:
    """The whole image."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}"'
        ' font-family="Arial,Helvetica,sans-serif" font-size="12" fill="#243b53">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        *_ages(found),
        *_months(found.months),
        "</svg>",
    ]
    return "".join(parts)


def as_markdown(svg: str, what: str) -> str:
    """As Dagster's pages show it."""
    data = base64.b64encode(svg.encode()).decode()
    return f"![{what}](data:image/svg+xml;base64,{data})"


def _ages(found: Arrears) -> list[str]:
    """A bar for each age, as long as its sum."""
    most = max([*found.all.cents.values(), 1])
    parts = [_text(16, 24, f"Owed on {found.as_of}: {format_rands(found.all.total)}", bold=True)]
    for number, (age, colour) in enumerate(_AGES.items()):
        cents, y = found.all.cents[age], 44 + number * 44
        parts += [
            _text(16, y + 10, age.value),
            _bar(16, y + 16, max(1, round(200 * cents / most)), 16, colour),
            _text(224, y + 29, format_rands(cents)),
        ]
    return parts


def _months(months: Sequence[Month]) -> list[str]:
    """Two bars a month: what fell due, and how much of it has come in."""
    most, left, bottom, tall = max([*(m.billed for m in months), 1]), 350, 240, 180
    parts = [
        _text(left, 24, "Fell due and came in, by month", bold=True),
        _bar(left, 38, 10, 10, _BILLED), _text(left + 16, 47, "fell due"),
        _bar(left + 90, 38, 10, 10, _COLLECTED), _text(left + 106, 47, "of that, came in"),
    ]  # fmt: skip
    for number, month in enumerate(months):
        x = left + number * 30
        for shift, cents, colour in (
            (0, month.billed, _BILLED), (11, month.collected, _COLLECTED),
        ):  # fmt: skip
            high = round(tall * cents / most)
            parts.append(_bar(x + shift, bottom - high, 10, high, colour))
        parts.append(_text(x, bottom + 16, f"{month.first:%b}"))
        if month.first.month == 1 or number == 0:
            parts.append(_text(x, bottom + 32, str(month.first.year)))
    return parts


def _bar(x: int, y: int, width: int, height: int, colour: str) -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{colour}"/>'


def _text(x: int, y: int, said: str, *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x}" y="{y}"{weight}>{escape(said)}</text>'
