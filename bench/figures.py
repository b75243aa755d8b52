"""One line of the table: what was measured, and what is wanted of it."""

import importlib
import warnings
from collections.abc import Iterable
from dataclasses import astuple, dataclass


@dataclass(frozen=True)
class Figure:
    """`met` is None where nothing is wanted."""

    what: str
    measured: str
    wanted: str = ""
    met: bool | None = None

    @property
    def eligibility(self) -> str:
        return {True: "yes", False: "**no**", None: ""}[self.met]


def at_most(what: str, value: float, limit: float, unit: str = "") -> Figure:
    return Figure(what, f"{_number(value)}{unit}", f"at most {limit:g}{unit}", value <= limit)


def at_least(what: str, value: float, limit: float, unit: str = "") -> Figure:
    return Figure(what, f"{_number(value)}{unit}", f"at least {limit:g}{unit}", value >= limit)


def _number(value: float) -> str:
    """Counts as they are, measures to two places."""
    return f"{value}" if isinstance(value, int) else f"{value:.2f}"


def tell(figures: Iterable[Figure]) -> list[Figure]:
    """Print each as soon as it is known."""
    printed = []
    for figure in figures:
        wanted = f"   (wanted: {figure.wanted})" if figure.wanted else ""
        print(f"  {figure.what}: {figure.measured}{wanted}", flush=True)
        printed.append(figure)
    return printed


def measure(module: str) -> list[Figure]:
    """What a module of this package finds."""
    warnings.simplefilter("ignore")  # Dagster's own, of what is beta
    return tell(importlib.import_module(module).figures())


def table(figures: Iterable[Figure]) -> str:
    """As it stands in docs/performance.md."""
    head = "| what | measured | wanted | met |\n| --- | --- | --- | --- |\n"
    rows = ((*astuple(figure)[:3], figure.eligibility) for figure in figures)
    return head + "\n".join("| " + " | ".join(row) + " |" for row in rows)
