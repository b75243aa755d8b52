"""A few random histories; `make soak` runs thousands."""

import pytest

from tests.faults.conftest import Cell
from tests.faults.histories.explore import Tally, explore
from tests.faults.recovery import Recovery
from tests.faults.world import World

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("seed", [1, 2])
def test_no_history_breaks_a_promise(session_world: World, cell: Cell, seed: int) -> None:
    cell("all", f"random histories over months, seed {seed}", Recovery.NEXT_DAY)
    tally = Tally()

    explore(session_world, seed=seed, count=8, tally=tally)

    assert tally.histories >= 8
    assert tally.requests > 0
