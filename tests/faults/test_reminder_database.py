"""A commit fails while tenants are texted, or the process dies at it."""

from collections.abc import Callable

import pytest

from leaseup_dagster.sandbox.faults import Fault
from tests.faults.conftest import Cell
from tests.faults.failures import Commit, CommitFailure, commit_cells, commits_without_cells
from tests.faults.postgres_proxy import Moment
from tests.faults.recovery import RECOVERIES_AFTER_A_CRASH, Recovery, recover
from tests.faults.scenarios.reminders import INVOICES, ReminderScenario
from tests.faults.world import SEND, World

pytestmark = pytest.mark.faults

LEDGER = "leaseup_dagster.reminder_ledger"
OVERDUE = Commit("marking what is overdue", "UPDATE invoice SET status=.*PENDING",
                 ("invoice", "UPDATE", "NEW.status = 'OVERDUE'"))  # fmt: skip
SLOT = Commit("the slot to ask", "request_quota.*/paymentrequest/verify",
              ("leaseup_dagster.request_quota", "INSERT", "true"))  # fmt: skip
PAYMENT = Commit("the payment found at Paystack", "INSERT INTO transaction",
                 ("transaction", "INSERT", "true"))  # fmt: skip
CLAIM = Commit("the mark", f"INSERT INTO {LEDGER}", (LEDGER, "INSERT", "true"))
RECORD = Commit("the record", rf"^\s*UPDATE {LEDGER} SET",
                (LEDGER, "UPDATE", "OLD.state = 'sending'"))  # fmt: skip
SETTLED = Commit("what a lookup found", f";.*UPDATE {LEDGER} SET|^ *UPDATE {LEDGER} SET",
                 (LEDGER, "UPDATE", "NEW.state <> 'planned'"))  # fmt: skip

Preparation = Callable[[ReminderScenario], None]


def healthy(_: ReminderScenario) -> None:
    """Nothing to prepare."""


def one_has_paid(reminding: ReminderScenario) -> None:
    """The victim's invoice is paid at Paystack."""
    reminding.world.paystack.pay(reminding.victim.request.request_code)
    reminding.overdue.remove(reminding.victim)


def one_is_unanswered(reminding: ReminderScenario) -> None:
    """An earlier run left the victim's text unanswered."""
    faults = reminding.world.twilio.faults
    faults.on(SEND, Fault.drop_after_accepting(), matching=reminding.victim_marker)
    reminding.run(reminding.day, None)
    reminding.world.heal()
    reminding.world.time_passes(minutes=10)


PREPARATIONS: dict[Commit, Preparation] = {
    OVERDUE: healthy,
    SLOT: healthy,
    PAYMENT: one_has_paid,
    CLAIM: healthy,
    RECORD: healthy,
    SETTLED: one_is_unanswered,
}


def check(reminding: ReminderScenario, world: World) -> None:
    """Each payment is recorded once, and nobody who paid was texted."""
    paid = world.rows('SELECT count(*), count(DISTINCT "referenceId") FROM transaction')[0]
    assert paid[0] == paid[1] == INVOICES - len(reminding.overdue)
    assert reminding.texts()[reminding.victim.number] <= (
        2 if reminding.victim in reminding.overdue else 0
    )


@pytest.mark.parametrize(
    ("commit", "failure", "recovery"), commit_cells(list(PREPARATIONS)), ids=str
)
def test_a_commit_fails(
    reminding: ReminderScenario,
    world: World,
    cell: Cell,
    commit: Commit,
    failure: CommitFailure,
    recovery: Recovery,
) -> None:
    cell("reminders", f"{commit}: {failure}", recovery)
    PREPARATIONS[commit](reminding)
    reminding.maybe_lost = claimed_and_not_sent(reminding, commit, failure.moment, failure.for_all)
    commit.fail_with(world, failure)

    recover(reminding, recovery, world.heal)

    check(reminding, world)


@pytest.mark.parametrize("recovery", RECOVERIES_AFTER_A_CRASH, ids=str)
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("commit", PREPARATIONS, ids=str)
def test_the_process_dies_at_a_commit(
    reminding: ReminderScenario,
    world: World,
    cell: Cell,
    commit: Commit,
    moment: Moment,
    recovery: Recovery,
) -> None:
    """A claimed row counts as sent, whether Twilio got the request or not."""
    cell("reminders", f"{commit}: the process dies {moment} it", recovery)
    PREPARATIONS[commit](reminding)
    reminding.maybe_lost = claimed_and_not_sent(reminding, commit, moment, True)
    commit.crash(world, moment)

    recover(reminding, recovery, world.heal)

    check(reminding, world)


def claimed_and_not_sent(
    reminding: ReminderScenario, commit: Commit, moment: Moment | None, for_all: bool
) -> set[str]:
    """Numbers that may never be texted: a claim counts as sent, as no text may go out twice."""
    if commit is CLAIM and (moment == "after" or for_all):
        return {one.number for one in reminding.overdue}
    # While Paystack is asked about the victim, others are being texted.
    if commit in (RECORD, PAYMENT) and for_all:
        return {one.number for one in reminding.overdue}
    return set()


def test_every_commit_of_a_run_has_cells(reminding: ReminderScenario, world: World) -> None:
    """A new statement in the protocol needs cells of its own."""
    one_has_paid(reminding)
    one_is_unanswered(reminding)
    reminding.run(reminding.day, lambda: None)

    new = commits_without_cells(world, list(PREPARATIONS))
    assert [sql for sql in new if not sql.rstrip(" ").endswith("FOR NO KEY UPDATE")] == []
