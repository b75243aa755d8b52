"""Processes of their own, to be killed, stopped or waited for, that are there at once.

They are forked from one that has imported the product already; importing it takes seconds.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from typing import Any

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["leaseup_dagster.definitions", __name__])


class Child:
    """Calls `function(*arguments)` in this process's environment as it is now."""

    def __init__(self, function: Callable[..., object], *arguments: Any) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
        self._process = _context.Process(
            target=_in_environment, args=(environment, function, *arguments), daemon=True
        )
        self._process.start()

    def send_signal(self, number: int) -> None:
        os.kill(self._process.pid or 0, number)

    def kill(self) -> None:
        """SIGKILL while it is at work."""
        assert self._process.is_alive(), "it ended before it could be killed"
        self.end()

    def end(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._process.kill()
        self._process.join(10)

    def wait(self, seconds: float) -> int:
        """Its exit code; negative when a signal ended it. Fails if it does not end in time."""
        self._process.join(seconds)
        assert self._process.exitcode is not None, "it did not end in time"
        return self._process.exitcode


def run_job(job: str, config: Mapping[str, Any]) -> None:
    """The real job, retries without waits. Exits with 1 when the run fails."""
    from dagster import DagsterInstance

    from leaseup_dagster.definitions import defs
    from leaseup_dagster.retries import waiting_at_most

    with DagsterInstance.ephemeral() as instance, waiting_at_most(0):
        result = defs.resolve_job_def(job).execute_in_process(
            run_config=dict(config), instance=instance, raise_on_error=False
        )
    raise SystemExit(0 if result.success else 1)


def _in_environment(
    environment: Mapping[str, str], function: Callable[..., object], *arguments: Any
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    function(*arguments)
