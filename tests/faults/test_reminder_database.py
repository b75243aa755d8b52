"""A commit breaks while tenants are texted, or the process dies at it."""

import re
from collections.abc import Callable

import pytest

from leaseup_dagster.sandbox.faults import Fault
from tests.faults.chasing import LATE, Chases
from tests.faults.conftest import Cell
from tests.faults.recovery import AFTER_A_CRASH, Recovery, recover
from tests.faults.vocabulary import Commit, Severed, severed_with
from tests.faults.wire import Moment
from tests.faults.world import SEND, World

pytestmark = pytest.mark.faults

LEDGER = "leaseup_dagster.reminder_ledger"
OVERDUE = Commit("marking what is overdue", "UPDATE invoice SET status=.*PENDING",
                 ("invoice", "UPDATE", "NEW.status = 'OVERDUE'"))  # fmt: skip
TURN = Commit("the turn to ask", "request_quota.*/paymentrequest/verify",
              ("leaseup_dagster.request_quota", "INSERT", "true"))  # fmt: skip
PAYMENT = Commit("the payment found at Paystack", "INSERT INTO transaction",
                 ("transaction", "INSERT", "true"))  # fmt: skip
MARK = Commit("the mark", f"INSERT INTO {LEDGER}", (LEDGER, "INSERT", "true"))
RECORD = Commit("the record", rf"^\s*UPDATE {LEDGER} SET",
                (LEDGER, "UPDATE", "OLD.state = 'sending'"))  # fmt: skip
SETTLED = Commit("what a look-up found", f";.*UPDATE {LEDGER} SET|^ *UPDATE {LEDGER} SET",
                 (LEDGER, "UPDATE", "NEW.state <> 'planned'"))  # fmt: skip

Given = Callable[[Chases], None]


def healthy(_: Chases) -> None: ...


def one_has_paid(chases: Chases) -> None:
    chases.world.paystack.pay(chases.victim.request.request_code)
    chases.late.remove(chases.victim)


def one_is_unanswered(chases: Chases) -> None:
    faults = chases.world.twilio.faults
    faults.on(SEND, Fault.drop_after_accepting(), matching=chases.only_the_victim)
    chases.run(chases.day, None)
    chases.world.heal()
    chases.world.time_passes(minutes=10)


GIVEN: dict[Commit, Given] = {
    OVERDUE: healthy,
    TURN: healthy,
    PAYMENT: one_has_paid,
    MARK: healthy,
    RECORD: healthy,
    SETTLED: one_is_unanswered,
}


def check(chases: Chases, world: World) -> None:
    paid = world.rows('SELECT count(*), count(DISTINCT "referenceId") FROM transaction')[0]
    assert paid[0] == paid[1] == LATE - len(chases.late)
    assert chases.texts()[chases.victim.number] <= (2 if chases.victim in chases.late else 0)


@pytest.mark.parametrize(("commit", "severed", "recovery"), severed_with(list(GIVEN)), ids=str)
def test_a_commit_breaks(
    chases: Chases, world: World, cell: Cell, commit: Commit, severed: Severed, recovery: Recovery
) -> None:
    cell("reminders", f"{commit}: {severed}", recovery)
    GIVEN[commit](chases)
    chases.silent = marked_and_not_sent(chases, commit, severed.moment, severed.for_all)
    commit.sever(world, severed)

    recover(chases, recovery, world.heal)

    check(chases, world)


@pytest.mark.parametrize("recovery", AFTER_A_CRASH, ids=str)
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("commit", GIVEN, ids=str)
def test_the_process_dies_at_a_commit(
    chases: Chases, world: World, cell: Cell, commit: Commit, moment: Moment, recovery: Recovery
) -> None:
    """Whoever was marked counts as texted, whether Twilio ever heard of it or not."""
    cell("reminders", f"{commit}: the process dies {moment} it", recovery)
    GIVEN[commit](chases)
    chases.silent = marked_and_not_sent(chases, commit, moment, True)
    commit.crash(world, moment)

    recover(chases, recovery, world.heal)

    check(chases, world)


def marked_and_not_sent(
    chases: Chases, commit: Commit, moment: Moment | None, for_all: bool
) -> set[str]:
    """Whose text may never have left: the promise is silence, so that is all right."""
    if commit is MARK and (moment == "after" or for_all):
        return {one.number for one in chases.late}
    if commit is RECORD and for_all:
        return {one.number for one in chases.late}
    return set()


def test_every_commit_of_a_run_is_broken_above(chases: Chases, world: World) -> None:
    """A statement that is new in the protocol asks for its cells."""
    one_has_paid(chases)
    one_is_unanswered(chases)
    chases.run(chases.day, lambda: None)

    known = [commit.pattern for commit in GIVEN] + ["request_quota", "SHOW|pg_catalog"]
    new = [
        sql
        for sql in world.wire.commits
        if re.search("INSERT|UPDATE|DELETE", sql) and not any(re.search(p, sql) for p in known)
    ]
    assert [sql for sql in new if not re.search("FOR NO KEY UPDATE *$", sql)] == []
