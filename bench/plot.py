"""docs/images: how time and memory grow with the day's invoices, and with the leases."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib import rcParams
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bench.growth import Grown
    from bench.large_day import Day

IMAGES = Path(__file__).parents[1] / "docs" / "images"
OURS, FLOOR, INK, GRID = "#1f5fae", "#8a8f98", "#30343b", "#e3e5e8"
SEVERAL = ("#1f5fae", "#c2571a", "#2a7d4f", "#8a3fa0", "#8a8f98")


def draw(days: "Sequence[Day]") -> None:
    """scaling.svg: two plots side by side, ours beside the floor."""
    sizes = [day.invoices for day in days]
    figure, time, memory = _two()

    _furnish(time, sizes, "Seconds, runs and waits between them included", "invoices")
    time.set_yscale("log")
    time.margins(y=0.15)
    time.yaxis.set_major_formatter("{x:,.0f}")
    _line(time, sizes, [day.seconds for day in days], OURS, "ours", "{:,.0f} s")
    _line(time, sizes, [day.bare_seconds for day in days], FLOOR, "a bare loop", "{:,.0f} s", -14)

    _furnish(memory, sizes, "Largest process, MB", "invoices")
    peaks = [day.peak_megabytes for day in days]
    _line(memory, sizes, peaks, OURS, "ours", "{:.0f} MB")
    memory.set_ylim(0, 1.4 * max(peaks))
    _save(figure, "scaling.svg")


def draw_growth(grown: "Sequence[Grown]", what: Sequence[str]) -> None:
    """growth.svg: the seconds of each thing, and the memory of the process that asks for them."""
    sizes = [size.leases for size in grown]
    figure, time, memory = _two()

    _furnish(time, sizes, "Seconds", "leases")
    time.set_yscale("log")
    time.yaxis.set_major_formatter("{x:,g}")
    for at, (name, colour) in enumerate(zip(what, SEVERAL, strict=True)):
        seconds = [size.seconds[at] for size in grown]
        time.plot(sizes, seconds, color=colour, marker="o", markersize=4, linewidth=2, label=name)
    time.legend(frameon=False, fontsize=9)

    _furnish(memory, sizes, "The process, MB", "leases")
    peaks = [size.megabytes for size in grown]
    _line(memory, sizes, peaks, OURS, "ours", "{:.0f} MB")
    memory.set_ylim(0, 1.4 * max(peaks))
    _save(figure, "growth.svg")


def _two() -> "tuple[Figure, Axes, Axes]":
    rcParams.update({
        "svg.hashsalt": "leaseup", "svg.fonttype": "none", "font.family": "sans-serif",
        "font.size": 10, "text.color": INK, "axes.labelcolor": INK,
    })  # fmt: skip
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    return figure, left, right


def _save(figure: Figure, name: str) -> None:
    IMAGES.mkdir(exist_ok=True)
    figure.savefig(IMAGES / name, metadata={"Date": None, "Creator": None})


def _furnish(axes: "Axes", sizes: Sequence[int], title: str, of: str) -> None:
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xscale("log")
    axes.set_xlim(sizes[0] / 1.8, sizes[-1] * 3.2)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes], minor=False)
    axes.set_xticks([], minor=True)
    axes.set_xlabel(of)
    axes.grid(axis="y", color=GRID)
    axes.set_axisbelow(True)
    axes.tick_params(color=GRID, which="both")
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)


def _line(
    axes: "Axes",
    sizes: Sequence[int],
    values: Sequence[float],
    colour: str,
    name: str,
    unit: str,
    above: int = 8,
) -> None:
    axes.plot(sizes, values, color=colour, marker="o", markersize=5, linewidth=2)
    for size, value in zip(sizes, values, strict=True):
        axes.annotate(
            unit.format(value), (size, value), (0, above), textcoords="offset points",
            ha="center", fontsize=9,
        )  # fmt: skip
    axes.annotate(
        name, (sizes[-1], values[-1]), (8, 0), textcoords="offset points", color=colour,
        va="center", weight="bold",
    )  # fmt: skip
