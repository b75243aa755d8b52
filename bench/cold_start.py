"""What starting costs beside an empty Dagster project.

`dagster job execute` of the morning's job on an empty portfolio beside a job of one empty step, and
of as many as it has itself; loading the code location beside one with these jobs only. All with the
same storage, alternate.
"""

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median

from bench.figures import Figure, at_most, tell
from leaseup_dagster.sandbox.world import World, a_world

OURS, EMPTY = "leaseup_dagster.definitions", "bench.empty"
ROUNDS = 7

# What a code server does with a module, in a process that has Dagster's storage ready.
_LOAD = (
    "import importlib, sys; from dagster import DagsterInstance;"
    "DagsterInstance.get();"
    "importlib.import_module(sys.argv[1]).defs.get_repository_def().load_all_definitions()"
)


def figures() -> Iterator[Figure]:
    with a_world() as world:
        execute, load = partial(_execute, world), partial(_seconds, world, "-c", _LOAD)
        morning = partial(execute, OURS, "check_upcoming_invoices")
        yield _compared("load the code location", partial(load, OURS), partial(load, EMPTY))
        for beside, job in (("one empty step", "empty"), ("as many empty steps", "seven_steps")):
            what = f"dagster job execute of the morning's job, nothing to bill, beside {beside}"
            yield _compared(what, morning, partial(execute, EMPTY, job))


def _compared(what: str, ours: Callable[[], float], empty: Callable[[], float]) -> Figure:
    ours(), empty()  # the first of each writes bytecode, and makes tables
    pairs = [(ours(), empty()) for _ in range(ROUNDS)]
    with_us, without = (median(column) for column in zip(*pairs, strict=True))
    seen = f"{what} ({with_us:.2f} s and {without:.2f} s)"
    return at_most(seen, median(a / b for a, b in pairs), 1.25)


def _execute(world: World, module: str, job: str) -> float:
    return _seconds(world, "-m", "dagster", "job", "execute", "-m", module, "-j", job)


def _seconds(world: World, *arguments: str) -> float:
    began = time.perf_counter()
    child = world.children.start([sys.executable, *arguments], world.log)
    if world.children.wait(child) != 0:
        raise SystemExit(world.log_tail())
    return time.perf_counter() - began


if __name__ == "__main__":
    tell(figures())
