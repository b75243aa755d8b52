"""Runs the benchmarks of docs/performance.md and prints one table: `make bench`.

Each benchmark runs in a process of its own. To run some of them: `python -m bench ways limit`.
"""

import argparse
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from bench.figures import Figure, measure, table

BENCHMARKS = (
    "ways",
    "limit",
    "planning",
    "plans",
    "reminders",
    "arrears",
    "history",
    "large_day",
    "growth",
    "cold_start",
)


def main(names: Sequence[str]) -> None:
    """Run the named benchmarks one after the other, then print the table of all figures."""
    figures: list[Figure] = []
    for name in names:
        print(name, flush=True)
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            figures += process.submit(measure, f"bench.{name}").result()
    print(f"\n{table(figures)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BENCHMARKS))
    given = parser.parse_args().names
    if unknown := set(given) - set(BENCHMARKS):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    main(given or BENCHMARKS)
