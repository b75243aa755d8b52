"""The retry policies, each with its longest wait, and the one that a stopped run obeys."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from dagster import Backoff, Failure, Jitter, OpExecutionContext, RetryPolicy
from dagster._core.errors import DagsterExecutionInterruptedError

from leaseup_dagster.settings import SettingsError

MAX_WAIT_SECONDS = 10.0

_longest_wait = MAX_WAIT_SECONDS


@contextmanager
def waiting_at_most(seconds: float) -> Iterator[None]:
    """Inside, no retry waits longer: for tests, which have no time to be polite."""
    global _longest_wait  # noqa: PLW0603 - Dagster keeps one policy for all runs of a process
    _longest_wait = seconds
    try:
        yield
    finally:
        _longest_wait = MAX_WAIT_SECONDS


def waits() -> Iterator[float]:
    """The waits of a step that tries again by itself, because raising would lose what it did."""
    return iter(min(_longest_wait, seconds) for seconds in (1.0, 3.0, 7.0))


class StoppableRetryPolicy(RetryPolicy):
    """Exponential waits of at most 10 s; a run that was asked to stop is not retried.

    A plain RetryPolicy takes Terminate for a failure of the step, tries it again and goes on
    with the other steps. Dagster asks the policy for the delay from inside its except clause;
    letting the interrupt out there ends the run as if there were no policy. A setting that is wrong
    ends it the same way, with its message in front. This rests on
    Dagster's internals: `tests/test_stopping.py` holds it, beside the `<1.14` pin.
    """

    def calculate_delay(self, attempt_num: int) -> float:
        """Seconds until the next try. Raises what ends the run instead."""
        error = sys.exc_info()[1]
        if isinstance(error, DagsterExecutionInterruptedError | KeyboardInterrupt):
            raise error
        if isinstance(error, SettingsError):  # as wrong the next time; its sentence comes first
            raise Failure(str(error), allow_retries=False) from error
        return min(_longest_wait, max(0.0, float(super().calculate_delay(attempt_num))))


SERVICE_UNREACHABLE = StoppableRetryPolicy(
    max_retries=3, delay=1, backoff=Backoff.EXPONENTIAL, jitter=Jitter.PLUS_MINUS
)
"""For steps that talk to the database or a provider: waits of about 1, 3 and 7 s."""


def try_again(context: OpExecutionContext, count: int, of: int, what: str) -> None:
    """Have the step tried again for `count` of its items, if it has tries left.

    Raises RuntimeError, which the policy above takes for a reason to wait and repeat the step.
    """
    if count and context.retry_number < SERVICE_UNREACHABLE.max_retries:
        raise RuntimeError(f"{count} of {of} {what} to be tried again")
