"""Whether what leaves can be recorded: rehearsed before the first, and again after failures."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from leaseup_dagster.database import complaints
from leaseup_dagster.database.rehearsal import Scene, in_words, rehearse

FAILURE_THRESHOLD = 3


class Recording:
    """For one process of a run. Safe to use from many threads.

    After `FAILURE_THRESHOLD` records that failed with none in between that did not, it is not the
    rows: nothing more may leave until a rehearsal says that it can be recorded again. What has left
    is searched for later, as any request without an answer.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._last: DBAPIError | None = None
        self._hold: str | None = None
        self._rehearsed = False

    @property
    def hold(self) -> str | None:
        """Why nothing more may leave; None while all is well."""
        return self._hold

    def why_not(self, engine: Engine, *scenes: Scene) -> str | None:
        """Before a batch: `hold`, as it is now."""
        with self._lock:
            if self._rehearsed and (self._hold is None or not self._may_have_passed()):
                return self._hold
            refused = rehearse(engine, *scenes).refused
            self._rehearsed = True
            self._hold = in_words(refused) if refused else None
            self._in_a_row, self._last = 0, None
            return self._hold

    @contextmanager
    def of_one(self) -> Iterator[None]:
        """Inside, what has left is recorded."""
        try:
            yield
        except DBAPIError as error:
            self._failed(error)
            raise
        with self._lock:
            self._in_a_row = 0

    def _failed(self, error: DBAPIError) -> None:
        with self._lock:
            self._in_a_row += 1
            self._last = error
            if self._in_a_row >= FAILURE_THRESHOLD and self._hold is None:
                self._hold = (
                    f"{FAILURE_THRESHOLD} in a row could not be recorded, so no more are sent."
                    f" {complaints.in_words(error)}"
                )

    def _may_have_passed(self) -> bool:
        """What a rehearsal does not meet would only be met by the next that are sent."""
        return self._last is None or complaints.is_passing(self._last)
