"""Child processes that never outlive their parent, and a parent that can be asked to stop.

A signal only sets a flag: an exception raised by the signal itself could strike while a server
is half started, or half stopped, and leave it behind. Every wait examines the flag.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_WAKE_SECONDS = 0.05
_END_SECONDS = 15.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stopping_on_signals() -> Iterator[threading.Event]:
    """Inside, Ctrl-C, SIGTERM and a closed terminal set the event and do nothing else."""
    stopped = threading.Event()

    def stop(*_: object) -> None:
        stopped.set()

    in_main_thread = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, stop) for number in _SIGNALS if in_main_thread}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Children:
    """Processes that run in `cwd` with `environment`, each with a process group of its own.

    The terminal's Ctrl-C does not reach them, so that they are ended in order, by `end_all`.
    """

    def __init__(self, stopped: threading.Event, cwd: Path, environment: Mapping[str, str]) -> None:
        self._stopped = stopped
        self._cwd = cwd
        self._environment = environment
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
        """`command` without standard input; what it prints is added to `log`.

        Raises KeyboardInterrupt when we have been asked to stop.
        """
        if self._stopped.is_set():
            raise KeyboardInterrupt
        with log.open("ab") as output:
            child = subprocess.Popen(
                command,
                cwd=self._cwd,
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running.append(child)
        return child

    def wait(
        self, child: subprocess.Popen[bytes], until: Callable[[], bool] = lambda: False
    ) -> int | None:
        """The exit code of `child`; None if `until` came true first.

        Raises KeyboardInterrupt when we are asked to stop meanwhile.
        """
        while not self._stopped.is_set():
            if until():
                return None
            with suppress(subprocess.TimeoutExpired):
                code = child.wait(_WAKE_SECONDS)
                self._end(child)
                return code
        raise KeyboardInterrupt

    def end_all(self) -> None:
        """Interrupt what still runs, give it time to end well, and kill what is left."""
        for child in self._running:
            with suppress(ProcessLookupError):
                child.send_signal(signal.SIGINT)
        for child in list(self._running):
            with suppress(subprocess.TimeoutExpired):
                child.wait(_END_SECONDS)
            self._end(child)

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        """Nobody of its group is left."""
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        self._running.remove(child)
