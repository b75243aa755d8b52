"""Stops a run's texts when the provider, or our account there, seems to be down.

An outage must not use up a step of the schedule for everybody. "In a row" with several texts
under way: a text may begin only while those under way, and those that just went wrong, are fewer
than `FAILURE_THRESHOLD` together. So an outage leaves at most `FAILURE_THRESHOLD` texts in doubt,
whatever the width.
"""

import threading
from collections.abc import Iterable

from leaseup_dagster.sms.sender import AccountProblem, NumberRefused, Outcome, Sent, Unknown

FAILURE_THRESHOLD = 3
_WAKE_SECONDS = 0.05


class CircuitBreaker:
    """For one batch of a run; `history` is how the run's texts before it ended, newest last.

    Blows at an account problem, at three unknowns in a row, and at three refusals in a row with
    one code that is not known to speak of the number. Only an answer ends a row, *not sent* does
    not. Safe to use from many threads.
    """

    def __init__(self, history: Iterable[tuple[str, str]], stop: threading.Event) -> None:
        self._changed = threading.Condition()
        self._stop = stop
        self._under_way = 0
        self._unknowns = 0
        self._refusals = 0
        self._code = ""
        self._tripped: str | None = None
        for name, code in history:
            self._count(name, code, "an earlier text of this run")

    @property
    def tripped(self) -> str | None:
        """Why no more texts leave; None while all is well."""
        with self._changed:
            return self._tripped

    @property
    def repeated_code(self) -> str | None:
        """The code of the refusals that blew it; None if it was something else, or nothing."""
        with self._changed:
            return self._code if self._refusals >= FAILURE_THRESHOLD else None

    def begin(self) -> bool:
        """Wait until a text may leave; False if none may any more. `end` must follow True."""
        with self._changed:
            while not self._may_begin():
                if self._tripped or self._stop.is_set():
                    return False
                self._changed.wait(_WAKE_SECONDS)
            self._under_way += 1
            return True

    def end(self, outcome: Outcome | None) -> None:
        """The text has ended; None: none left, or it is not known to have."""
        with self._changed:
            self._under_way -= 1
            if outcome is not None:
                self._count(name_of(outcome), getattr(outcome, "code", ""), _why(outcome))
            self._changed.notify_all()

    def _may_begin(self) -> bool:
        in_doubt = self._under_way + max(self._unknowns, self._refusals)
        return not self._tripped and not self._stop.is_set() and in_doubt < FAILURE_THRESHOLD

    def _count(self, name: str, code: str, why: str) -> None:
        answered = name in ("sent", "refused", "unlisted")
        self._unknowns = self._unknowns + 1 if name == "unknown" else self._unknowns
        self._unknowns = 0 if answered else self._unknowns
        if answered and (name, code) != ("unlisted", self._code):
            self._refusals, self._code = 0, code
        self._refusals += name == "unlisted"
        if name == "account":
            self._trip(why)
        if self._unknowns >= FAILURE_THRESHOLD:
            self._trip(f"{FAILURE_THRESHOLD} texts in a row had no answer: {why}")
        if self._refusals >= FAILURE_THRESHOLD:
            self._trip(
                f"{FAILURE_THRESHOLD} numbers in a row refused alike, so it is the account: {why}"
            )

    def _trip(self, why: str) -> None:
        self._tripped = self._tripped or why


def name_of(outcome: Outcome) -> str:
    """The outcome as the ledger calls it."""
    if isinstance(outcome, Sent):
        return "sent"
    if isinstance(outcome, NumberRefused):
        return "refused" if outcome.listed else "unlisted"
    if isinstance(outcome, AccountProblem):
        return "account"
    return "unknown" if isinstance(outcome, Unknown) else "not sent"


def _why(outcome: Outcome) -> str:
    return "" if isinstance(outcome, Sent) else outcome.why
