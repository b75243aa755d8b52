"""Runs random histories until the time is up, and prints a summary: `make soak MINUTES=20`.

    python -m bench.soak [MINUTES] [--seed N] [--workers N]

Each worker has a database and stand-ins of its own. When a promise is broken, the shortest history
that breaks it is printed with its seed. Repeat it with `--seed N --only`.
"""

import argparse
import os
import re
import signal
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for_any
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine

from leaseup_dagster.database.schema import migrate
from leaseup_dagster.database.url import engine_url
from leaseup_dagster.sandbox.postgres import Postgres, embedded_postgres
from tests.conftest import one_authority
from tests.faults.histories.explore import Tally, explore
from tests.faults.money import WrongPayments
from tests.faults.promises import Duplicate, Loss, UnwantedMessage
from tests.faults.world import World

TEMPLATE = "leaseup"
AT_A_TIME = 20
_KINDS = {
    Duplicate: "duplicates",
    Loss: "losses",
    UnwantedMessage: "texts to payers, twice, or to another's debtor",
    WrongPayments: "payments counted twice or missed",
}


@dataclass
class BrokenPromise:
    """The shortest history of a seed that breaks a promise."""

    seed: int
    kind: str
    diary: str


@dataclass
class Summary:
    """The results of all workers together."""

    tally: Tally = field(default_factory=Tally)
    broken: list[BrokenPromise] = field(default_factory=list)

    def add(self, found: "Tally | BrokenPromise") -> None:
        """Add a worker's results; a broken promise is printed at once."""
        if isinstance(found, BrokenPromise):
            self.broken.append(found)
            print(f"\nBROKEN ({found.kind}), seed {found.seed}\n{found.diary}", flush=True)
            return
        self.tally.histories += found.histories
        self.tally.requests += found.requests
        self.tally.texts += found.texts
        self.tally.events += found.events
        self.tally.faults += found.faults


def main() -> int:
    """Run the workers; 1 if a promise was broken, otherwise 0."""
    given = _arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    ends_at = began + given.minutes * 60
    total = Summary()
    with (
        tempfile.TemporaryDirectory(prefix="leaseup-soak-") as folder,
        embedded_postgres(Path(folder) / "data") as postgres,
    ):
        _make_template(postgres)
        context = get_context("spawn")
        workers, receivers = [], []
        for number in range(given.workers):
            receiver, sender = context.Pipe(duplex=False)
            first, step = given.seed + number, given.workers
            args = (
                postgres.url(TEMPLATE),
                number,
                first,
                step,
                ends_at - began,
                given.only,
                sender,
            )
            workers.append(context.Process(target=_work, args=args, daemon=True))
            workers[-1].start()
            sender.close()
            receivers.append(receiver)
        try:
            _collect(receivers, total, began)
        except KeyboardInterrupt:
            print("\nStopped.")
        finally:
            for worker in workers:
                worker.terminate()
                worker.join(10)
    _print(total, time.monotonic() - began)
    return 1 if total.broken else 0


def _make_template(postgres: Postgres) -> None:
    postgres.create_leaseup(TEMPLATE)
    engine = create_engine(engine_url(postgres.url(TEMPLATE)))
    migrate(engine)
    engine.dispose()


def _work(
    url: str, number: int, seed: int, step: int, seconds: float, only: bool, report: Connection
) -> None:
    """Run histories for `seconds`, `AT_A_TIME` of each seed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ends_at = time.monotonic() + seconds
    world = World(Postgres(url.replace("+psycopg", "")), f"soak_{number}", TEMPLATE)
    os.environ["SSL_CERT_FILE"] = str(one_authority(Path(tempfile.gettempdir())))
    try:
        while time.monotonic() < ends_at:
            tally = Tally()
            try:
                explore(world, seed=seed, count=AT_A_TIME, tally=tally)
            except Exception as error:
                report.send(BrokenPromise(seed, _KINDS.get(type(error), "unclear"), _diary(error)))
                tally = Tally(histories=AT_A_TIME)
            report.send(tally)
            if only:
                break
            seed += step
    finally:
        world.close()


def _diary(error: BaseException) -> str:
    """The shortest history, event by event, and the promise it broke."""
    return "".join(traceback.format_exception_only(error))


def _collect(receivers: list[Connection], total: Summary, began: float) -> None:
    """Until every worker has closed its end."""
    printed_at = began
    while receivers:
        for receiver in wait_for_any(receivers, timeout=5):
            try:
                total.add(receiver.recv())  # type: ignore[union-attr, call-arg]
            except EOFError:
                receivers.remove(receiver)  # type: ignore[arg-type]
        if time.monotonic() - printed_at > 60:
            printed_at = time.monotonic()
            minutes = (printed_at - began) / 60
            print(f"{minutes:5.1f} min  {total.tally.histories:6,} histories", flush=True)


def _print(total: Summary, seconds: float) -> None:
    tally, broken = total.tally, Counter(one.kind for one in total.broken)
    print(f"\n{tally.histories:,} histories in {seconds / 60:.1f} minutes", end="")
    print(f" ({60 * tally.histories / max(seconds, 1):.0f} a minute)")
    for event, count in sorted(tally.events.items()):
        print(f"  {count:8,} {event}")
    print(f"  {tally.requests:8,} payment requests made")
    print(f"  {tally.texts:8,} texts sent")
    print(f"  {tally.faults.total():8,} faults injected, of {len(tally.faults)} kinds:")
    for family, count in sorted(_families(tally).items(), key=lambda item: -item[1]):
        print(f"           {count:8,} {family}")
    for kind in (*_KINDS.values(), "unclear"):
        print(f"  {broken[kind]:8,} {kind}")
    if total.broken:
        print(f"  seeds: {', '.join(str(one.seed) for one in total.broken)}")


def _families(tally: Tally) -> Counter[str]:
    """Faults by kind, without the endpoint and the number of the commit."""
    found: Counter[str] = Counter()
    for name, count in tally.faults.items():
        family = re.sub(r"(?<=commit) \d+$", "", name.rpartition(": ")[2])
        found[family] += count
    return found


def _arguments() -> Any:
    parser = argparse.ArgumentParser(prog="bench.soak", description=__doc__)
    minutes = float(os.environ.get("MINUTES") or 20)
    parser.add_argument("minutes", type=float, nargs="?", default=minutes)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--only", action="store_true", help="run only this seed")
    given = parser.parse_args()
    if given.only:
        given.workers = 1
    return given


if __name__ == "__main__":
    raise SystemExit(main())
