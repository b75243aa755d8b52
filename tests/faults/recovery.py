"""How things go on after something broke; the same for invoices, reminders and customers."""

from collections.abc import Callable
from datetime import date, timedelta
from enum import Enum
from typing import Protocol

from tests.faults.world import World


class Recovery(Enum):
    """Who finishes what broke."""

    OP_RETRY = "op retry"
    NEW_RUN = "new run"
    NEXT_DAY = "next day"

    def __str__(self) -> str:
        return self.value


EVERY = list(Recovery)
AFTER_A_CRASH = [Recovery.NEW_RUN, Recovery.NEXT_DAY]

Heal = Callable[[], None]


class Scene(Protocol):
    """A capability on its own small portfolio."""

    world: World
    day: date

    def run(self, as_of: date, heal: Heal | None) -> None:
        """One run. At its first failure `heal` is called and the step tried again; without it,
        the run ends there."""

    def check_nothing_twice(self) -> None: ...

    def check(self) -> None: ...


class Abandoned(Exception):
    """The run ended in the middle."""


TRIES = 4


def step(act: Callable[[], bool], heal: Heal | None) -> None:
    """An op: tried again, up to three times, while it raises or says that something is left."""
    for _ in range(TRIES):
        try:
            left = act()
        except Exception as error:
            if heal is None:
                raise Abandoned from error
            left = True
        if not left:
            return
        if heal is None:
            raise Abandoned
        heal()


def recover(scene: Scene, recovery: Recovery, heal: Heal) -> None:
    """Break, then go on as `recovery` says; in the end all is well, and nothing happened twice.

    `heal` makes the world healthy again.
    """
    world, healed = scene.world, False

    def healed_and_waited() -> None:
        nonlocal healed
        if not healed:
            heal()
        healed = True
        world.time_passes(seconds=10)

    scene.run(scene.day, healed_and_waited if recovery is Recovery.OP_RETRY else None)
    healed_and_waited()  # where the run found nothing to try again
    scene.check_nothing_twice()
    if recovery is Recovery.NEW_RUN:
        scene.run(scene.day, lambda: None)
        scene.check_nothing_twice()
    later = timedelta(days=1) if recovery is Recovery.NEXT_DAY else timedelta(minutes=10)
    world.time_passes(seconds=later.total_seconds())
    scene.run(scene.day + timedelta(days=later.days), lambda: None)
    scene.check()
