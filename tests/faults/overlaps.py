"""Two runs at once, and a worker that is paused between two steps of its protocol."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from tests.faults.failures import Commit
from tests.faults.world import World

SHORT_SEND_WINDOW_SECONDS = 0.5


def two_at_once(run: Callable[[int], object]) -> None:
    """Start `run(0)` and `run(1)` at the same moment and wait for both."""
    start = threading.Barrier(2)

    def run_when_both_are_ready(number: int) -> None:
        start.wait(10)
        run(number)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run_when_both_are_ready, range(2)))


@contextmanager
def a_paused_worker(world: World, commit: Commit, run: Callable[[], object]) -> Iterator[None]:
    """Within the block `run` is paused just after this commit. Afterwards it continues, once its
    short send window is over, and ends."""
    paused = world.proxy.pause(commit.pattern)
    with ThreadPoolExecutor(1) as pool:
        worker = pool.submit(run)
        assert paused.reached.wait(10)
        yield
        threading.Event().wait(SHORT_SEND_WINDOW_SECONDS)
        assert paused.pause is not None
        paused.pause.set()
        worker.result(20)
