"""Generates histories and finds the shortest one that breaks a promise.

explore(world, seed=7, count=50, tally=tally)
"""

from collections import Counter
from dataclasses import dataclass, field

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.world import World


@dataclass
class Tally:
    """What was tried."""

    histories: int = 0
    events: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    texts: int = 0


def explore(
    world: World, *, seed: int, count: int, tally: Tally, steps: int = 14, shrink: bool = True
) -> None:
    """Run `count` histories, which depend on the seed only. Raises the error of the shortest one
    that breaks a promise, with its diary."""
    from tests.faults.histories.history import History

    machine = type("AHistory", (History,), {"world": world, "tally": tally})
    run_state_machine_as_test(
        hypothesis.seed(seed)(machine),
        settings=hypothesis.settings(
            max_examples=count,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
            suppress_health_check=list(HealthCheck),
            print_blob=False,
            report_multiple_bugs=False,
        ),
    )
