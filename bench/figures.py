"""The figures that a benchmark yields, with their targets, and how they are printed."""

import importlib
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass


@dataclass(frozen=True)
class Figure:
    """One row of the table. `met` is None where there is no target."""

    what: str
    measured: str
    wanted: str = ""
    met: bool | None = None

    @property
    def met_as_text(self) -> str:
        """What the last column of the table shows."""
        return {True: "yes", False: "**no**", None: ""}[self.met]


def at_most(what: str, value: float, limit: float, unit: str = "") -> Figure:
    """A figure that is met up to and including `limit`."""
    return Figure(what, f"{_number(value)}{unit}", f"at most {limit:g}{unit}", value <= limit)


def at_least(what: str, value: float, limit: float, unit: str = "") -> Figure:
    """A figure that is met from `limit` on."""
    return Figure(what, f"{_number(value)}{unit}", f"at least {limit:g}{unit}", value >= limit)


def timed(act: Callable[[], object]) -> float:
    """Seconds that `act` takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _number(value: float) -> str:
    """Counts as they are, measurements with two decimals."""
    return f"{value}" if isinstance(value, int) else f"{value:.2f}"


def show(figures: Iterable[Figure]) -> list[Figure]:
    """Print each figure as soon as it is measured, and return them all."""
    printed = []
    for figure in figures:
        wanted = f"   (wanted: {figure.wanted})" if figure.wanted else ""
        print(f"  {figure.what}: {figure.measured}{wanted}", flush=True)
        printed.append(figure)
    return printed


def measure(module: str) -> list[Figure]:
    """Run the benchmark in `module` and print its figures."""
    warnings.simplefilter("ignore")  # Dagster's own warnings about beta features
    return show(importlib.import_module(module).figures())


def table(figures: Iterable[Figure]) -> str:
    """The Markdown table of docs/performance.md."""
    head = "| what | measured | wanted | met |\n| --- | --- | --- | --- |\n"
    rows = ((*astuple(figure)[:3], figure.met_as_text) for figure in figures)
    return head + "\n".join("| " + " | ".join(row) + " |" for row in rows)
