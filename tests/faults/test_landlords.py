"""The mail server or a commit fails while landlords are notified, or the process dies."""

import pytest

from leaseup_dagster.sandbox.smtp import Answers
from tests.faults.conftest import Cell
from tests.faults.failures import Commit, CommitFailure, commit_cells, commits_without_cells
from tests.faults.postgres_proxy import Moment
from tests.faults.recovery import ALL_RECOVERIES, RECOVERIES_AFTER_A_CRASH, Recovery, recover
from tests.faults.scenarios.landlords import LandlordScenario
from tests.faults.world import World

pytestmark = pytest.mark.faults

EMAIL, EVENT = "leaseup_dagster.landlord_email", "leaseup_dagster.landlord_event"
BEGIN = Commit("what counts as notified", r"pg_advisory_xact_lock\(7263008\)",
               (EVENT, "INSERT", "NEW.day IS NULL"))  # fmt: skip
CLAIM = Commit("the mark", f"INSERT INTO {EMAIL}", (EMAIL, "INSERT", "true"))
RECORD = Commit("the record", rf"^\s*UPDATE {EMAIL}", (EMAIL, "UPDATE", "NEW.state = 'sent'"))
COMMITS = [BEGIN, CLAIM, RECORD]

ANSWERS = {
    "550, no such address": {"rcpt": "550 no such user"},
    "451, greylisted": {"rcpt": "451 greylisted"},
    "552, the message is refused": {"data": "552 too big"},
    "452, the queue is full": {"data": "452 queue full"},
    "connection lost before the message": {"breaks": "before"},
    "connection lost after the message": {"breaks": "after"},
}


@pytest.fixture
def notifying(world: World) -> LandlordScenario:
    """Three landlords with news."""
    return LandlordScenario(world)


@pytest.mark.parametrize("recovery", ALL_RECOVERIES, ids=str)
@pytest.mark.parametrize("recipients", ["one", "all"])
@pytest.mark.parametrize("answer", ANSWERS)
def test_the_mail_server_fails(
    notifying: LandlordScenario,
    world: World,
    cell: Cell,
    answer: str,
    recipients: str,
    recovery: Recovery,
) -> None:
    cell("landlords", f"{answer}, for {recipients}", recovery)
    to = notifying.victim if recipients == "one" else ""
    notifying.inbox.answers = Answers(**ANSWERS[answer], to=to)

    def heal() -> None:
        if recipients == "one":
            notifying.check_others_are_notified()
        notifying.inbox.answers = Answers()

    recover(notifying, recovery, heal)


@pytest.mark.parametrize(("commit", "failure", "recovery"), commit_cells(COMMITS), ids=str)
def test_a_commit_fails(
    notifying: LandlordScenario, world: World, cell: Cell, commit: Commit, failure: CommitFailure,
    recovery: Recovery,
) -> None:  # fmt: skip
    cell("landlords", f"{commit}: {failure}", recovery)
    if commit is CLAIM and failure.moment == "after":
        notifying.maybe_lost = set(notifying.addresses)
    commit.fail_with(world, failure)

    recover(notifying, recovery, world.heal)


@pytest.mark.parametrize("recovery", RECOVERIES_AFTER_A_CRASH, ids=str)
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("commit", COMMITS, ids=str)
def test_the_process_dies_at_a_commit(
    notifying: LandlordScenario,
    world: World,
    cell: Cell,
    commit: Commit,
    moment: Moment,
    recovery: Recovery,
) -> None:
    cell("landlords", f"{commit}: the process dies {moment} it", recovery)
    if commit is CLAIM and moment == "after":
        notifying.maybe_lost = set(notifying.addresses)

    def dies() -> None:
        # First, as the run may end and be healed as soon as the world is down.
        notifying.inbox.answers = Answers(breaks="before")
        world.crash()

    def heal() -> None:
        notifying.inbox.answers = Answers()
        world.heal()

    world.proxy.cut(commit.pattern, moment, also=dies)

    recover(notifying, recovery, heal)


def test_every_commit_of_a_run_has_cells(notifying: LandlordScenario, world: World) -> None:
    """A new statement in the protocol needs cells of its own."""
    notifying.run(notifying.day, lambda: None)

    assert commits_without_cells(world, COMMITS) == []
