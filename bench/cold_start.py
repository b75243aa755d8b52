"""Start-up time compared with an empty Dagster project.

`dagster job execute` of the invoicing job on an empty portfolio, compared with a job of one empty
step and with a job of equally many empty steps; and the loading of the code location, compared with
one that has only these jobs. All use the same storage, in alternate runs.
"""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median

from bench.figures import Figure, at_most, show, timed
from leaseup_dagster.sandbox.world import World, a_world

OURS, EMPTY = "leaseup_dagster.definitions", "bench.empty"
ROUNDS = 7

# What a code server does to load a module, once Dagster's storage is ready.
_LOAD = (
    "import importlib, sys; from dagster import DagsterInstance;"
    "DagsterInstance.get();"
    "importlib.import_module(sys.argv[1]).defs.get_repository_def().load_all_definitions()"
)


def figures() -> Iterator[Figure]:
    """Run this benchmark; each figure as soon as it is measured."""
    with a_world() as world:
        execute, load = partial(_execute, world), partial(_seconds, world, "-c", _LOAD)
        morning = partial(execute, OURS, "check_upcoming_invoices")
        yield _compared("load the code location", partial(load, OURS), partial(load, EMPTY))
        for beside, job in (("one empty step", "empty"), ("as many empty steps", "seven_steps")):
            what = f"dagster job execute of the morning's job, nothing to bill, beside {beside}"
            yield _compared(what, morning, partial(execute, EMPTY, job))


def _compared(what: str, ours: Callable[[], float], empty: Callable[[], float]) -> Figure:
    ours(), empty()  # the first run of each writes bytecode and creates tables
    pairs = [(ours(), empty()) for _ in range(ROUNDS)]
    our_median, empty_median = (median(column) for column in zip(*pairs, strict=True))
    label = f"{what} ({our_median:.2f} s and {empty_median:.2f} s)"
    return at_most(label, median(a / b for a, b in pairs), 1.25)


def _execute(world: World, module: str, job: str) -> float:
    return _seconds(world, "-m", "dagster", "job", "execute", "-m", module, "-j", job)


def _seconds(world: World, *arguments: str) -> float:
    def run() -> None:
        child = world.children.start([sys.executable, *arguments], world.log)
        if world.children.wait(child) != 0:
            raise SystemExit(world.log_tail())

    return timed(run)


if __name__ == "__main__":
    show(figures())
