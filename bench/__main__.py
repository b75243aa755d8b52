"""Every figure of docs/performance.md, then all of them in one table: `make bench`.

Each measurement is made in a process of its own. Some of them only: `python -m bench ways limit`.
"""

import argparse
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from bench.figures import Figure, measure, table

MEASUREMENTS = (
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
    figures: list[Figure] = []
    for name in names:
        print(name, flush=True)
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as apart:
            figures += apart.submit(measure, f"bench.{name}").result()
    print(f"\n{table(figures)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(MEASUREMENTS))
    given = parser.parse_args().names
    if unknown := set(given) - set(MEASUREMENTS):
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    main(given or MEASUREMENTS)
