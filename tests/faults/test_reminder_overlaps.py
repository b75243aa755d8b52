"""Overlapping reminder runs, one run started twice, a paused worker, and wrong clocks."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from leaseup_dagster.sandbox.faults import Fault
from tests.faults.conftest import Cell
from tests.faults.failures import RequestFailure
from tests.faults.overlaps import SHORT_SEND_WINDOW_SECONDS, a_paused_worker, two_at_once
from tests.faults.recovery import Recovery
from tests.faults.scenarios.reminders import ReminderScenario
from tests.faults.test_reminder_database import CLAIM
from tests.faults.test_reminder_requests import SENDS
from tests.faults.world import SEND, VERIFY, World

pytestmark = pytest.mark.faults

AT_ONCE = [RequestFailure("healthy", Fault, "done", accepted=True), SENDS[0], SENDS[2], SENDS[-1]]


@pytest.mark.parametrize("twice", [False, True], ids=["two runs", "one run twice"])
@pytest.mark.parametrize("failure", AT_ONCE, ids=str)
def test_two_at_once(
    reminding: ReminderScenario, world: World, cell: Cell, failure: RequestFailure, twice: bool
) -> None:
    """Two daemons were observed to execute one run twice."""
    cell("reminders", f"{'one run twice' if twice else 'two runs'} at once: {failure}",
         Recovery.NEW_RUN)  # fmt: skip
    world.twilio.faults.on(SEND, failure.new_fault(), times=2)
    reminding.timeout_seconds = 0.3 if failure.silent else 5

    def run(number: int) -> None:
        reminding.run_concurrently("the-one-run" if twice else f"of-two-{number}")

    two_at_once(run)
    reminding.check_nothing_twice()
    world.heal()
    world.time_passes(minutes=10)
    reminding.run(reminding.day, lambda: None)

    reminding.maybe_lost = (
        {one.number for one in reminding.overdue} if not failure.accepted else set()
    )
    reminding.check()


def test_a_worker_is_paused_after_its_claim(
    reminding: ReminderScenario, world: World, cell: Cell
) -> None:
    """Its claim expires before the text is sent. It claims the row again, and texts once."""
    cell("reminders", "worker paused after its mark, and goes on", Recovery.OP_RETRY)
    reminding.send_window_seconds = SHORT_SEND_WINDOW_SECONDS
    with a_paused_worker(world, CLAIM, reminding.run_concurrently):
        pass

    reminding.send_window_seconds = 10
    reminding.check()


def test_a_worker_is_paused_until_another_run_records_unknown(
    reminding: ReminderScenario, world: World, cell: Cell
) -> None:
    cell("reminders", "worker paused after its mark, another run gives it up", Recovery.NEW_RUN)
    reminding.send_window_seconds = SHORT_SEND_WINDOW_SECONDS
    with a_paused_worker(world, CLAIM, lambda: reminding.run_concurrently("the-paused-run")):
        world.time_passes(minutes=10)
        reminding.send_window_seconds = 10
        reminding.run(reminding.day, lambda: None)

    reminding.check()


def test_a_tenant_pays_during_the_payment_check(
    reminding: ReminderScenario, world: World, cell: Cell
) -> None:
    """The second run records the payment. The first, whose answer was "unpaid", sends no text."""
    cell("reminders", "paid between the question and the text", Recovery.NEW_RUN)
    code = reminding.victim.request.request_code
    asked = world.paystack.faults.on(VERIFY, Fault.hang_after_accepting(), matching=code)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(reminding.run_concurrently)
        assert asked.arrived.wait(10)
        world.paystack.pay(code)
        reminding.run(reminding.day, None)
        asked.release()
        first.result(20)

    assert reminding.texts()[reminding.victim.number] == 0
    reminding.overdue.remove(reminding.victim)
    reminding.check()


@pytest.mark.parametrize(
    ("clock", "days"), [("a day back", -1), ("a day forward", 1), ("a week back", -7)]
)
def test_a_clock_jumps(
    reminding: ReminderScenario, world: World, cell: Cell, clock: str, days: int
) -> None:
    cell("reminders", f"clock: {clock}, after one text was lost", Recovery.NEW_RUN)
    fault = Fault.drop_after_accepting()
    world.twilio.faults.on(SEND, fault, matching=reminding.victim_marker)
    reminding.run(reminding.day, lambda: None)

    reminding.run(reminding.day + timedelta(days=days), lambda: None)

    reminding.check()
