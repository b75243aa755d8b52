"""Draws docs/images: how time and memory grow with the day's invoices, and with the leases."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib import rcParams
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

IMAGES = Path(__file__).parents[1] / "docs" / "images"
OURS, FLOOR, INK, GRID = "#1f5fae", "#8a8f98", "#30343b", "#e3e5e8"
SEVERAL = ("#1f5fae", "#c2571a", "#2a7d4f", "#8a3fa0", "#8a8f98")


def draw_scaling(
    invoices: Sequence[int],
    seconds: Sequence[float],
    bare_seconds: Sequence[float],
    megabytes: Sequence[float],
) -> None:
    """scaling.svg: the seconds of the product and of a bare loop, and the peak memory."""
    figure, time, memory = _two_axes()

    _style(time, invoices, "Seconds, runs and waits between them included", "invoices")
    time.set_yscale("log")
    time.margins(y=0.15)
    time.yaxis.set_major_formatter("{x:,.0f}")
    _line(time, invoices, seconds, OURS, "ours", "{:,.0f} s")
    _line(time, invoices, bare_seconds, FLOOR, "a bare loop", "{:,.0f} s", -14)

    _draw_memory(memory, invoices, megabytes, "Largest process, MB", "invoices")
    _save(figure, "scaling.svg")


def draw_growth(
    leases: Sequence[int],
    seconds: Mapping[str, Sequence[float]],
    megabytes: Sequence[float],
) -> None:
    """growth.svg: the seconds of each thing measured, and the memory of the process."""
    figure, time, memory = _two_axes()

    _style(time, leases, "Seconds", "leases")
    time.set_yscale("log")
    time.yaxis.set_major_formatter("{x:,g}")
    for (name, values), colour in zip(seconds.items(), SEVERAL, strict=True):
        time.plot(leases, values, color=colour, marker="o", markersize=4, linewidth=2, label=name)
    time.legend(frameon=False, fontsize=9)

    _draw_memory(memory, leases, megabytes, "The process, MB", "leases")
    _save(figure, "growth.svg")


def _two_axes() -> "tuple[Figure, Axes, Axes]":
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


def _style(axes: "Axes", sizes: Sequence[int], title: str, unit: str) -> None:
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xscale("log")
    axes.set_xlim(sizes[0] / 1.8, sizes[-1] * 3.2)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes], minor=False)
    axes.set_xticks([], minor=True)
    axes.set_xlabel(unit)
    axes.grid(axis="y", color=GRID)
    axes.set_axisbelow(True)
    axes.tick_params(color=GRID, which="both")
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)


def _draw_memory(
    axes: "Axes", sizes: Sequence[int], megabytes: Sequence[float], title: str, unit: str
) -> None:
    _style(axes, sizes, title, unit)
    _line(axes, sizes, megabytes, OURS, "ours", "{:.0f} MB")
    axes.set_ylim(0, 1.4 * max(megabytes))


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
