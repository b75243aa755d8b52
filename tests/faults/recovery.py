"""How a process recovers after a failure; the same for every process of the matrix."""

from collections.abc import Callable
from datetime import date, timedelta
from enum import Enum

from sqlalchemy import Engine

from tests.faults.world import World


class Recovery(Enum):
    """What completes the work after a failure."""

    OP_RETRY = "op retry"
    NEW_RUN = "new run"
    NEXT_DAY = "next day"

    def __str__(self) -> str:
        return self.value


ALL_RECOVERIES = list(Recovery)
RECOVERIES_AFTER_A_CRASH = [Recovery.NEW_RUN, Recovery.NEXT_DAY]

Heal = Callable[[], None]


class Scenario:
    """A process with a small portfolio of its own. `day` is the day of its first run."""

    def __init__(self, world: World, day: date) -> None:
        self.world, self.day = world, day
        self.timeout_seconds = 5.0

    def run(self, as_of: date, heal: Heal | None) -> None:
        """One run. At its first failure `heal` is called and the op retried; without `heal` the
        run ends there."""
        with self.world.engine() as engine:
            self.run_on(engine, as_of, heal)

    def run_concurrently(self) -> None:
        """One run with connections of its own, to overlap with another run."""
        with self.world.separate_engine() as engine:
            self.run_on(engine, self.day, lambda: None)

    def run_on(self, engine: Engine, as_of: date, heal: Heal | None) -> None:
        """One run on the connections of `engine`."""
        raise NotImplementedError

    def check_nothing_twice(self) -> None:
        """Nothing was sent or created twice, at any moment."""
        raise NotImplementedError

    def check(self) -> None:
        """Everything was done once, and the ledger agrees."""
        raise NotImplementedError


class Abandoned(Exception):
    """The run ended before its last op."""


ATTEMPTS = 4


def run_op(act: Callable[[], bool], heal: Heal | None) -> None:
    """Run an op, with up to three retries while it raises or returns True: something is left."""
    for _ in range(ATTEMPTS):
        try:
            retry = act()
        except Exception as error:
            if heal is None:
                raise Abandoned from error
            retry = True
        if not retry:
            return
        if heal is None:
            raise Abandoned
        heal()


def recover(scenario: Scenario, recovery: Recovery, heal: Heal) -> None:
    """Run into the failure that is in place, then recover. In the end everything was done once.

    `heal` removes the failure.
    """
    world, healed = scenario.world, False

    def heal_once_and_wait() -> None:
        nonlocal healed
        if not healed:
            heal()
        healed = True
        world.time_passes(seconds=10)

    scenario.run(scenario.day, heal_once_and_wait if recovery is Recovery.OP_RETRY else None)
    heal_once_and_wait()  # in case the run retried nothing
    scenario.check_nothing_twice()
    if recovery is Recovery.NEW_RUN:
        scenario.run(scenario.day, lambda: None)
        scenario.check_nothing_twice()
    later = timedelta(days=1) if recovery is Recovery.NEXT_DAY else timedelta(minutes=10)
    world.time_passes(seconds=later.total_seconds())
    scenario.run(scenario.day + timedelta(days=later.days), lambda: None)
    scenario.check()
