"""What starting costs beside an empty Dagster project: `python -m bench.cold_start`, some minutes.

`dagster job execute` of the morning's job on an empty portfolio beside a job of one empty step, and
of as many as it has itself; loading the code location beside one with these jobs only. All with the
same storage, in turn.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable

from leaseup_dagster.sandbox.world import World, a_world

OURS, EMPTY = "leaseup_dagster.definitions", "bench.empty"
ROUNDS = 7

# What a code server does with a module, in a process that has Dagster's storage at hand.
_LOAD = (
    "import importlib, sys; from dagster import DagsterInstance;"
    "DagsterInstance.get();"
    "importlib.import_module(sys.argv[1]).defs.get_repository_def().load_all_definitions()"
)


def main(rounds: int = ROUNDS) -> None:
    with a_world() as world:
        for empty in ("empty", "seven_steps"):
            _compare(
                f"dagster job execute, beside {empty}",
                lambda: _execute(world, OURS, "check_upcoming_invoices"),
                lambda empty=empty: _execute(world, EMPTY, empty),
                rounds,
            )
        _compare(
            "loading the code location",
            lambda: _seconds(world, "-c", _LOAD, OURS),
            lambda: _seconds(world, "-c", _LOAD, EMPTY),
            rounds,
        )


def _compare(what: str, ours: Callable[[], float], empty: Callable[[], float], rounds: int) -> None:
    ours(), empty()  # the first of each writes bytecode, and makes tables
    pairs = [(ours(), empty()) for _ in range(rounds)]
    with_us, without = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"{what}: {with_us:.2f} s, empty {without:.2f} s, {ratio:.2f} times")


def _execute(world: World, module: str, job: str) -> float:
    return _seconds(world, "-m", "dagster", "job", "execute", "-m", module, "-j", job)


def _seconds(world: World, *arguments: str) -> float:
    began = time.perf_counter()
    child = world.children.start([sys.executable, *arguments], world.log)
    if world.children.wait(child) != 0:
        raise SystemExit(world.log_tail())
    return time.perf_counter() - began


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    main(parser.parse_args().rounds)
