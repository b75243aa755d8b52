"""A request to Paystack or to Twilio fails while tenants are texted."""

from itertools import product

import pytest

from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.twilio import error
from tests.conftest import until
from tests.faults.conftest import Cell
from tests.faults.failures import LOST, RequestFailure, failures_named, with_one_recovery_each
from tests.faults.recovery import ALL_RECOVERIES, RECOVERIES_AFTER_A_CRASH, Recovery, recover
from tests.faults.scenarios.reminders import INVOICES, ReminderScenario
from tests.faults.world import LIST_TEXTS, SEND, VERIFY, World

pytestmark = pytest.mark.faults

SENDS = [
    *LOST[:1],
    *LOST[3:9],
    *LOST[11:12],
    RequestFailure("201 in HTML", Fault.success_in_html, "lost", accepted=True),
    RequestFailure("malformed JSON", Fault.truncated, "lost", accepted=True),
    RequestFailure("429", lambda: Fault.answer(error(429, 20429)), "not processed"),
]
PAYMENT_CHECKS = failures_named(
    "connection closed before it was accepted",
    "accepted, then silence",
    "500, before it was accepted",
    "502 in HTML, after it was accepted",
    "malformed JSON",
    "429",
    "400",
)


@pytest.mark.parametrize("recovery", ALL_RECOVERIES, ids=str)
@pytest.mark.parametrize("failure", SENDS, ids=str)
def test_a_text_fails_for_one_tenant(
    reminding: ReminderScenario,
    world: World,
    cell: Cell,
    failure: RequestFailure,
    recovery: Recovery,
) -> None:
    cell("reminders", f"text, for one tenant: {failure}", recovery)
    fault = world.twilio.faults.on(SEND, failure.new_fault(), matching=reminding.victim_marker)

    recover_from(reminding, failure, recovery, fault, {reminding.victim.number})


@pytest.mark.parametrize(("failure", "recovery"), with_one_recovery_each(SENDS), ids=str)
def test_a_text_fails_for_every_tenant(
    reminding: ReminderScenario,
    world: World,
    cell: Cell,
    failure: RequestFailure,
    recovery: Recovery,
) -> None:
    cell("reminders", f"text, for every tenant: {failure}", recovery)
    fault = world.twilio.faults.on(SEND, failure.new_fault(), times=None)

    recover_from(reminding, failure, recovery, fault, {one.number for one in reminding.overdue})


def recover_from(
    reminding: ReminderScenario,
    failure: RequestFailure,
    recovery: Recovery,
    fault: Fault,
    touched: set[str],
) -> None:
    """A text that was not processed is sent again. One without an answer counts as sent."""
    if failure.known == "lost" and not failure.accepted:
        reminding.maybe_lost = touched
    reminding.timeout_seconds = 0.3 if failure.silent else 5

    def heal() -> None:
        if len(touched) < INVOICES:
            reminding.check_others_are_texted()
        reminding.check_explained()
        if failure.late:
            fault.release()
            until(lambda: len(reminding.world.twilio.messages) == INVOICES)
        reminding.world.heal()

    recover(reminding, recovery, heal)

    if reminding.maybe_lost:
        assert reminding.texts().total() == 2 * INVOICES - len(touched)


@pytest.mark.parametrize(
    ("failure", "recovery", "paid"),
    [(*cell, False) for cell in product(PAYMENT_CHECKS, ALL_RECOVERIES)]
    + [(*cell, True) for cell in with_one_recovery_each(PAYMENT_CHECKS)],
    ids=str,
)
def test_a_payment_check_fails(
    reminding: ReminderScenario,
    world: World,
    cell: Cell,
    failure: RequestFailure,
    recovery: Recovery,
    paid: bool,
) -> None:
    """No text is sent until the check succeeds, and none to a tenant who has paid."""
    whether = "paid meanwhile" if paid else "unpaid"
    cell("reminders", f"has it been paid? {failure}; {whether}", recovery)
    world.paystack.faults.on(VERIFY, failure.new_fault(), times=None)
    reminding.timeout_seconds = 0.3 if failure.silent else 5

    def heal() -> None:
        assert reminding.texts() == {}
        reminding.check_explained()
        if paid:
            world.paystack.pay(reminding.victim.request.request_code)
            reminding.overdue.remove(reminding.victim)
        world.heal()

    recover(reminding, recovery, heal)

    assert reminding.texts()[reminding.victim.number] == (0 if paid else 2)


@pytest.mark.parametrize("recovery", RECOVERIES_AFTER_A_CRASH, ids=str)
def test_nobody_listens_at_paystack(
    reminding: ReminderScenario, world: World, cell: Cell, recovery: Recovery
) -> None:
    cell("reminders", "has it been paid? nobody listens", recovery)
    world.stop_paystack()

    recover(reminding, recovery, world.heal)


@pytest.mark.parametrize("accepted", [False, True], ids=["never accepted", "accepted"])
@pytest.mark.parametrize(("failure", "recovery"), with_one_recovery_each(SENDS[1::2]), ids=str)
def test_the_lookup_of_an_unanswered_text_fails(
    reminding: ReminderScenario,
    world: World,
    cell: Cell,
    failure: RequestFailure,
    recovery: Recovery,
    accepted: bool,
) -> None:
    """The text stays unknown, which counts as sent."""
    cell("reminders", f"search for a lost text: {failure}; accepted: {accepted}", recovery)
    lost = Fault.drop_after_accepting() if accepted else Fault.drop_before_accepting()
    world.twilio.faults.on(SEND, lost, matching=reminding.victim_marker)
    reminding.run(reminding.day, None)
    world.heal()
    world.time_passes(minutes=10)
    reminding.maybe_lost = set() if accepted else {reminding.victim.number}
    reminding.timeout_seconds = 0.3 if failure.silent else 5
    world.twilio.faults.on(LIST_TEXTS, failure.new_fault(), times=None)

    recover(reminding, recovery, world.heal)

    assert reminding.texts()[reminding.victim.number] == (2 if accepted else 1)
