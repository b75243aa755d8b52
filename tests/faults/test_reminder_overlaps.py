"""More than one at it: two runs, one run twice, a paused worker; who pays meanwhile; clocks."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from leaseup_dagster.sandbox.faults import Fault
from tests.faults.conftest import Cell
from tests.faults.recovery import Recovery
from tests.faults.reminding import Reminding
from tests.faults.test_reminder_database import MARK
from tests.faults.test_reminder_requests import SENDS
from tests.faults.vocabulary import Broken
from tests.faults.world import SEND, VERIFY, World

pytestmark = pytest.mark.faults

AT_ONCE = [Broken("healthy", Fault, "done", accepted=True), SENDS[0], SENDS[2], SENDS[-1]]


@pytest.mark.parametrize("twice", [False, True], ids=["two runs", "one run twice"])
@pytest.mark.parametrize("broken", AT_ONCE, ids=str)
def test_two_at_once(
    reminding: Reminding, world: World, cell: Cell, broken: Broken, twice: bool
) -> None:
    """Two daemons have been seen to run one run twice."""
    cell("reminders", f"{'one run twice' if twice else 'two runs'} at once: {broken}",
         Recovery.NEW_RUN)  # fmt: skip
    world.twilio.faults.on(SEND, broken.make(), times=2)
    reminding.timeout_seconds = 0.3 if broken.silent else 5
    start = threading.Barrier(2)

    def run(number: int) -> None:
        start.wait(10)
        reminding.run_beside("the-one-run" if twice else f"of-two-{number}")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, range(2)))
    reminding.check_nothing_twice()
    world.heal()
    world.time_passes(minutes=10)
    reminding.run(reminding.day, lambda: None)

    reminding.silent = {one.number for one in reminding.late} if not broken.accepted else set()
    reminding.check()


def test_a_worker_is_paused_after_its_mark(reminding: Reminding, world: World, cell: Cell) -> None:
    """It drops what it marked, which is proven not to have been sent, and texts it again."""
    cell("reminders", "worker paused after its claim, and goes on", Recovery.OP_RETRY)
    reminding.send_window_seconds = 0.2
    paused = world.wire.pause(MARK.pattern)
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(reminding.run_beside)
        assert paused.reached.wait(10)
        threading.Event().wait(0.2)
        assert paused.pause is not None
        paused.pause.set()
        run.result(20)

    reminding.send_window_seconds = 10
    reminding.check()


def test_a_worker_is_paused_until_another_called_it_unknown(
    reminding: Reminding, world: World, cell: Cell
) -> None:
    cell("reminders", "worker paused after its claim, another run gives it up", Recovery.NEW_RUN)
    reminding.send_window_seconds = 0.2
    paused = world.wire.pause(MARK.pattern)
    with ThreadPoolExecutor(1) as pool:
        zombie = pool.submit(reminding.run_beside, "the-zombie")
        assert paused.reached.wait(10)
        world.time_passes(minutes=10)
        reminding.send_window_seconds = 10
        reminding.run(reminding.day, lambda: None)
        threading.Event().wait(0.2)
        assert paused.pause is not None
        paused.pause.set()
        zombie.result(20)

    reminding.check()


def test_who_pays_while_paystack_is_asked_by_another_run(
    reminding: Reminding, world: World, cell: Cell
) -> None:
    """The second run records the payment; the first, which had heard "unpaid", texts nobody."""
    cell("reminders", "paid between the question and the text", Recovery.NEW_RUN)
    code = reminding.victim.request.request_code
    asked = world.paystack.faults.on(VERIFY, Fault.hang_after_accepting(), matching=code)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(reminding.run_beside)
        assert asked.arrived.wait(10)
        world.paystack.pay(code)
        reminding.run(reminding.day, None)
        asked.release()
        first.result(20)

    assert reminding.texts()[reminding.victim.number] == 0
    reminding.late.remove(reminding.victim)
    reminding.check()


@pytest.mark.parametrize(
    ("clock", "days"), [("a day back", -1), ("a day forward", 1), ("a week back", -7)]
)
def test_a_clock_jumps(
    reminding: Reminding, world: World, cell: Cell, clock: str, days: int
) -> None:
    cell("reminders", f"clock: {clock}, after one text was lost", Recovery.NEW_RUN)
    fault = Fault.drop_after_accepting()
    world.twilio.faults.on(SEND, fault, matching=reminding.only_the_victim)
    reminding.run(reminding.day, lambda: None)

    reminding.run(reminding.day + timedelta(days=days), lambda: None)

    reminding.check()
