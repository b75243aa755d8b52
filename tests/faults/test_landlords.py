"""What breaks while landlords are notified: the mail server, a commit, the process."""

import re

import pytest

from leaseup_dagster.sandbox.smtp import Answers
from tests.faults.conftest import Cell
from tests.faults.notifying import Tellings
from tests.faults.recovery import AFTER_A_CRASH, EVERY, Recovery, recover
from tests.faults.vocabulary import Commit, Severed, severed_with
from tests.faults.wire import Moment
from tests.faults.world import World

pytestmark = pytest.mark.faults

EMAIL, EVENT = "leaseup_dagster.landlord_email", "leaseup_dagster.landlord_event"
BEGIN = Commit("what counts as notified", r"pg_advisory_xact_lock\(7263008\)",
               (EVENT, "INSERT", "NEW.day IS NULL"))  # fmt: skip
MARK = Commit("the claim", f"INSERT INTO {EMAIL}", (EMAIL, "INSERT", "true"))
RECORD = Commit("the record", rf"^\s*UPDATE {EMAIL}", (EMAIL, "UPDATE", "NEW.state = 'sent'"))
COMMITS = [BEGIN, MARK, RECORD]

ANSWERS = {
    "550, no such address": {"rcpt": "550 no such user"},
    "451, greylisted": {"rcpt": "451 greylisted"},
    "552, the message is refused": {"data": "552 too big"},
    "452, the queue is full": {"data": "452 queue full"},
    "connection lost before the message": {"breaks": "before"},
    "connection lost after the message": {"breaks": "after"},
}


@pytest.fixture
def tellings(world: World) -> Tellings:
    return Tellings(world)


@pytest.mark.parametrize("recovery", EVERY, ids=str)
@pytest.mark.parametrize("whom", ["one", "all"])
@pytest.mark.parametrize("answer", ANSWERS)
def test_the_mail_server_fails(
    tellings: Tellings, world: World, cell: Cell, answer: str, whom: str, recovery: Recovery
) -> None:
    cell("landlords", f"{answer}, for {whom}", recovery)
    to = tellings.victim if whom == "one" else ""
    tellings.inbox.answers = Answers(**ANSWERS[answer], to=to)

    def heal() -> None:
        if whom == "one":
            tellings.check_others_are_told()
        tellings.inbox.answers = Answers()

    recover(tellings, recovery, heal)


@pytest.mark.parametrize(("commit", "severed", "recovery"), severed_with(COMMITS), ids=str)
def test_a_commit_breaks(
    tellings: Tellings, world: World, cell: Cell, commit: Commit, severed: Severed,
    recovery: Recovery,
) -> None:  # fmt: skip
    cell("landlords", f"{commit}: {severed}", recovery)
    if commit is MARK and severed.moment == "after":
        tellings.silent = set(tellings.addresses)
    commit.sever(world, severed)

    recover(tellings, recovery, world.heal)


@pytest.mark.parametrize("recovery", AFTER_A_CRASH, ids=str)
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("commit", COMMITS, ids=str)
def test_the_process_dies_at_a_commit(
    tellings: Tellings, world: World, cell: Cell, commit: Commit, moment: Moment, recovery: Recovery
) -> None:
    cell("landlords", f"{commit}: the process dies {moment} it", recovery)
    if commit is MARK and moment == "after":
        tellings.silent = set(tellings.addresses)

    def dies() -> None:
        # First: once the world is down the run may have ended, and been healed.
        tellings.inbox.answers = Answers(breaks="before")
        world.crash()

    def heal() -> None:
        tellings.inbox.answers = Answers()
        world.heal()

    world.wire.cut(commit.pattern, moment, also=dies)

    recover(tellings, recovery, heal)


def test_every_commit_of_a_run_is_broken_above(tellings: Tellings, world: World) -> None:
    """A statement that is new in the protocol asks for its cells."""
    tellings.run(tellings.day, lambda: None)

    known = [commit.pattern for commit in COMMITS]
    new = [
        sql
        for sql in world.wire.commits
        if re.search("INSERT|UPDATE|DELETE", sql) and not any(re.search(p, sql) for p in known)
    ]
    assert new == []
