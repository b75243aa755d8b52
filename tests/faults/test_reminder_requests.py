"""A request to Paystack or to Twilio breaks while tenants are texted."""

from itertools import product

import pytest

from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.twilio import error
from tests.conftest import until
from tests.faults.conftest import Cell
from tests.faults.recovery import AFTER_A_CRASH, EVERY, Recovery, recover
from tests.faults.reminding import LATE, Reminding
from tests.faults.vocabulary import LOST, Broken, by_name, in_turn
from tests.faults.world import LIST_TEXTS, SEND, VERIFY, World

pytestmark = pytest.mark.faults

SENDS = [
    *LOST[:1],
    *LOST[3:9],
    *LOST[11:12],
    Broken("201 in HTML", Fault.success_in_html, "lost", accepted=True),
    Broken("malformed JSON", Fault.truncated, "lost", accepted=True),
    Broken("429", lambda: Fault.answer(error(429, 20429)), "not processed"),
]
QUESTIONS = by_name(
    "connection closed before it was accepted",
    "accepted, then silence",
    "500, before it was accepted",
    "502 in HTML, after it was accepted",
    "malformed JSON",
    "429",
    "400",
)


@pytest.mark.parametrize("recovery", EVERY, ids=str)
@pytest.mark.parametrize("broken", SENDS, ids=str)
def test_a_text_breaks_for_one_tenant(
    reminding: Reminding, world: World, cell: Cell, broken: Broken, recovery: Recovery
) -> None:
    cell("reminders", f"text, for one tenant: {broken}", recovery)
    fault = world.twilio.faults.on(SEND, broken.make(), matching=reminding.only_the_victim)

    go_on(reminding, broken, recovery, fault, {reminding.victim.number})


@pytest.mark.parametrize(("broken", "recovery"), in_turn(SENDS), ids=str)
def test_a_text_breaks_for_every_tenant(
    reminding: Reminding, world: World, cell: Cell, broken: Broken, recovery: Recovery
) -> None:
    cell("reminders", f"text, for every tenant: {broken}", recovery)
    fault = world.twilio.faults.on(SEND, broken.make(), times=None)

    go_on(reminding, broken, recovery, fault, {one.number for one in reminding.late})


def go_on(
    reminding: Reminding, broken: Broken, recovery: Recovery, fault: Fault, touched: set[str]
) -> None:
    """What was not processed is texted; what was lost counts as sent, whatever it was."""
    if broken.known == "lost" and not broken.accepted:
        reminding.silent = touched
    reminding.timeout_seconds = 0.3 if broken.silent else 5

    def heal() -> None:
        if len(touched) < LATE:
            reminding.check_others_are_texted()
        reminding.check_explained()
        if broken.late:
            fault.release()
            until(lambda: len(reminding.world.twilio.messages) == LATE)
        reminding.world.heal()

    recover(reminding, recovery, heal)

    if reminding.silent:
        assert reminding.texts().total() == 2 * LATE - len(touched)


@pytest.mark.parametrize(
    ("broken", "recovery", "paid"),
    [(*cell, False) for cell in product(QUESTIONS, EVERY)]
    + [(*cell, True) for cell in in_turn(QUESTIONS)],
    ids=str,
)
def test_a_question_breaks(
    reminding: Reminding, world: World, cell: Cell, broken: Broken, recovery: Recovery, paid: bool
) -> None:
    """Whether it was paid cannot be known: no text until it is, and none to who has paid."""
    whether = "paid meanwhile" if paid else "unpaid"
    cell("reminders", f"has it been paid? {broken}; {whether}", recovery)
    world.paystack.faults.on(VERIFY, broken.make(), times=None)
    reminding.timeout_seconds = 0.3 if broken.silent else 5

    def heal() -> None:
        assert reminding.texts() == {}
        reminding.check_explained()
        if paid:
            world.paystack.pay(reminding.victim.request.request_code)
            reminding.late.remove(reminding.victim)
        world.heal()

    recover(reminding, recovery, heal)

    assert reminding.texts()[reminding.victim.number] == (0 if paid else 2)


@pytest.mark.parametrize("recovery", AFTER_A_CRASH, ids=str)
def test_nobody_listens_at_paystack(
    reminding: Reminding, world: World, cell: Cell, recovery: Recovery
) -> None:
    cell("reminders", "has it been paid? nobody listens", recovery)
    world.paystack_goes_away()

    recover(reminding, recovery, world.heal)


@pytest.mark.parametrize("accepted", [False, True], ids=["never accepted", "accepted"])
@pytest.mark.parametrize(("broken", "recovery"), in_turn(SENDS[1::2]), ids=str)
def test_the_look_for_a_lost_text_breaks(
    reminding: Reminding,
    world: World,
    cell: Cell,
    broken: Broken,
    recovery: Recovery,
    accepted: bool,
) -> None:
    """It stays unknown, which counts as sent."""
    cell("reminders", f"search for a lost text: {broken}; accepted: {accepted}", recovery)
    lost = Fault.drop_after_accepting() if accepted else Fault.drop_before_accepting()
    world.twilio.faults.on(SEND, lost, matching=reminding.only_the_victim)
    reminding.run(reminding.day, None)
    world.heal()
    world.time_passes(minutes=10)
    reminding.silent = set() if accepted else {reminding.victim.number}
    reminding.timeout_seconds = 0.3 if broken.silent else 5
    world.twilio.faults.on(LIST_TEXTS, broken.make(), times=None)

    recover(reminding, recovery, world.heal)

    assert reminding.texts()[reminding.victim.number] == (2 if accepted else 1)
