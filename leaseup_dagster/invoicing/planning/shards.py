"""SQL: a large portfolio in parts that are planned side by side, each by a connection of its own.

A statement that writes is never run on more than one core; two of them are.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

from sqlalchemy import Connection, text

Result = TypeVar("Result")

SHARDS = 2
"""As many statements as a small database server has cores."""

LARGE = 50_000
"""Leases from which it is worth while: below, a plan takes less than a second or two."""

_SAMPLE = 20_000
"""Leases that tell where the middle is: parts of about the same size are as good as equal ones."""

_BOUNDS = text(
    """
    SELECT percentile_disc(CAST(:shares AS float8[])) WITHIN GROUP (ORDER BY id COLLATE "C")
    FROM lease TABLESAMPLE SYSTEM (:percent)
    """
)


@dataclass(frozen=True)
class Shard:
    """The leases whose id is at or after `first` and before `beyond`; None: no such bound.

    Bytes are compared, whatever the database's collation: it is faster by far.
    """

    first: str | None = None
    beyond: str | None = None

    def has(self, column: str) -> str:
        """The condition that this column's lease is of this shard."""
        bounds = [
            f'{column} COLLATE "C" >= :first_lease' if self.first is not None else "",
            f'{column} COLLATE "C" < :beyond_lease' if self.beyond is not None else "",
        ]
        return " AND ".join(filter(None, bounds)) or "true"

    @property
    def bindings(self) -> dict[str, str]:
        """What the conditions bind."""
        named = {"first_lease": self.first, "beyond_lease": self.beyond}
        return {name: value for name, value in named.items() if value is not None}


WHOLE = Shard()


def is_chosen(column: str) -> str:
    """The condition that this column's lease is one of those bound as `lease_ids`.

    Few leases need not be joined with the whole portfolio, and an index on the column would serve.
    """
    return f"{column} IN (SELECT unnest(CAST(:lease_ids AS text[])))"


def side_by_side(
    act: Callable[[Connection, Shard], Result],
    workers: Sequence[Connection],
    parts: Sequence[Shard],
) -> list[Result]:
    """`act` for each shard, each by its own connection. Left by an interrupt or an error, what the
    others are doing is called off."""
    if len(parts) == 1:
        return [act(workers[0], parts[0])]
    with ThreadPoolExecutor(len(parts)) as pool:
        working = [
            pool.submit(act, worker, part) for worker, part in zip(workers, parts, strict=True)
        ]
        try:
            # Waking up often: a main thread that waits for good can sleep through a signal.
            while not all(one.done() for one in working):
                done, _ = wait(working, timeout=0.1, return_when=FIRST_EXCEPTION)
                for one in done:
                    one.result()
        except BaseException:
            for worker in workers:
                _call_off(worker)
            raise
        return [one.result() for one in working]


def _call_off(worker: Connection) -> None:
    """Ask the server to end what this connection waits for."""
    driver: Any = worker.connection.driver_connection
    with suppress(Exception):
        driver.cancel_safe(timeout=5)


def shards(connection: Connection, parts: int = SHARDS, large: int = LARGE) -> list[Shard]:
    """Shards that have every lease id there may be in exactly one of them."""
    leases = connection.execute(text("SELECT count(*) FROM lease")).scalar() or 0
    if leases < large or parts == 1:
        return [WHOLE]
    shares = [part / parts for part in range(1, parts)]
    percent = 100 * min(1, _SAMPLE / max(1, leases))
    found = connection.execute(_BOUNDS, {"shares": shares, "percent": percent}).scalar() or []
    bounds = [None, *sorted(set(found)), None]
    return [Shard(first, beyond) for first, beyond in pairwise(bounds)]
