"""A request to Paystack or to Twilio breaks while tenants are texted."""

from itertools import product

import pytest

from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.twilio import error
from tests.conftest import until
from tests.faults.chasing import LATE, Chases
from tests.faults.conftest import Cell
from tests.faults.recovery import AFTER_A_CRASH, EVERY, Recovery, recover
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
    chases: Chases, world: World, cell: Cell, broken: Broken, recovery: Recovery
) -> None:
    cell("reminders", f"text, for one tenant: {broken}", recovery)
    fault = world.twilio.faults.on(SEND, broken.make(), matching=chases.only_the_victim)

    go_on(chases, broken, recovery, fault, {chases.victim.number})


@pytest.mark.parametrize(("broken", "recovery"), in_turn(SENDS), ids=str)
def test_a_text_breaks_for_every_tenant(
    chases: Chases, world: World, cell: Cell, broken: Broken, recovery: Recovery
) -> None:
    cell("reminders", f"text, for every tenant: {broken}", recovery)
    fault = world.twilio.faults.on(SEND, broken.make(), times=None)

    go_on(chases, broken, recovery, fault, {one.number for one in chases.late})


def go_on(
    chases: Chases, broken: Broken, recovery: Recovery, fault: Fault, touched: set[str]
) -> None:
    """What was not processed is texted; what was lost counts as sent, whatever it was."""
    if broken.known == "lost" and not broken.accepted:
        chases.silent = touched
    chases.timeout_seconds = 0.3 if broken.silent else 5

    def heal() -> None:
        if len(touched) < LATE:
            chases.check_others_are_texted()
        chases.check_explained()
        if broken.late:
            fault.release()
            until(lambda: len(chases.world.twilio.messages) == LATE)
        chases.world.heal()

    recover(chases, recovery, heal)

    if chases.silent:
        assert chases.texts().total() == 2 * LATE - len(touched)


@pytest.mark.parametrize(
    ("broken", "recovery", "paid"),
    [(*cell, False) for cell in product(QUESTIONS, EVERY)]
    + [(*cell, True) for cell in in_turn(QUESTIONS)],
    ids=str,
)
def test_a_question_breaks(
    chases: Chases, world: World, cell: Cell, broken: Broken, recovery: Recovery, paid: bool
) -> None:
    """Whether it was paid cannot be known: no text until it is, and none to who has paid."""
    whether = "paid meanwhile" if paid else "unpaid"
    cell("reminders", f"has it been paid? {broken}; {whether}", recovery)
    world.paystack.faults.on(VERIFY, broken.make(), times=None)
    chases.timeout_seconds = 0.3 if broken.silent else 5

    def heal() -> None:
        assert chases.texts() == {}
        chases.check_explained()
        if paid:
            world.paystack.pay(chases.victim.request.request_code)
            chases.late.remove(chases.victim)
        world.heal()

    recover(chases, recovery, heal)

    assert chases.texts()[chases.victim.number] == (0 if paid else 2)


@pytest.mark.parametrize("recovery", AFTER_A_CRASH, ids=str)
def test_nobody_listens_at_paystack(
    chases: Chases, world: World, cell: Cell, recovery: Recovery
) -> None:
    cell("reminders", "has it been paid? nobody listens", recovery)
    world.paystack_goes_away()

    recover(chases, recovery, world.heal)


@pytest.mark.parametrize("accepted", [False, True], ids=["never accepted", "accepted"])
@pytest.mark.parametrize(("broken", "recovery"), in_turn(SENDS[1::2]), ids=str)
def test_the_look_for_a_lost_text_breaks(
    chases: Chases, world: World, cell: Cell, broken: Broken, recovery: Recovery, accepted: bool
) -> None:
    """It stays unknown, which counts as sent."""
    cell("reminders", f"look for a lost text: {broken}; accepted: {accepted}", recovery)
    lost = Fault.drop_after_accepting() if accepted else Fault.drop_before_accepting()
    world.twilio.faults.on(SEND, lost, matching=chases.only_the_victim)
    chases.run(chases.day, None)
    world.heal()
    world.time_passes(minutes=10)
    chases.silent = set() if accepted else {chases.victim.number}
    chases.timeout_seconds = 0.3 if broken.silent else 5
    world.twilio.faults.on(LIST_TEXTS, broken.make(), times=None)

    recover(chases, recovery, world.heal)

    assert chases.texts()[chases.victim.number] == (2 if accepted else 1)
