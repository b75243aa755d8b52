"""What a run still has to bill of a batch while other runs may be billing the same months."""

import threading
import time
from collections.abc import Callable, Sequence

from leaseup_dagster.invoicing.keys import LedgerKey

_POLL_SECONDS = 0.5


class Pending:
    """Months that nobody has begun, as far as this run knows; safe to use from many threads.

    Once another run has claimed one of them, `still_planned` is asked which are left.
    """

    def __init__(
        self,
        keys: Sequence[LedgerKey],
        still_planned: Callable[[Sequence[LedgerKey]], Sequence[LedgerKey]],
    ) -> None:
        self._left = list(reversed(keys))
        self._still_planned = still_planned
        self._claimed_elsewhere: list[LedgerKey] = []
        self._queried_at = float("-inf")
        self._lock = threading.Lock()

    def next(self) -> LedgerKey | None:
        """The earliest; None if none is left."""
        with self._lock:
            return self._left.pop() if self._left else None

    def another_run_has(self, key: LedgerKey) -> None:
        """And perhaps more of them, which it is no use to wait for a slot with."""
        with self._lock:
            self._claimed_elsewhere.append(key)
            now = time.monotonic()
            if not self._left or now < self._queried_at + _POLL_SECONDS:
                return
            self._queried_at = now
            planned = set(self._still_planned(self._left))
            self._claimed_elsewhere += [one for one in self._left if one not in planned]
            self._left = [one for one in self._left if one in planned]

    @property
    def claimed_elsewhere(self) -> list[LedgerKey]:
        """Those that other runs had."""
        return list(self._claimed_elsewhere)
