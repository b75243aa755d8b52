"""A commit breaks while tenants are texted, or the process dies at it."""

import re
from collections.abc import Callable

import pytest

from leaseup_dagster.sandbox.faults import Fault
from tests.faults.conftest import Cell
from tests.faults.recovery import AFTER_A_CRASH, Recovery, recover
from tests.faults.reminding import LATE, Reminding
from tests.faults.vocabulary import Commit, Severed, severed_with
from tests.faults.wire import Moment
from tests.faults.world import SEND, World

pytestmark = pytest.mark.faults

LEDGER = "leaseup_dagster.reminder_ledger"
OVERDUE = Commit("marking what is overdue", "UPDATE invoice SET status=.*PENDING",
                 ("invoice", "UPDATE", "NEW.status = 'OVERDUE'"))  # fmt: skip
SLOT = Commit("the slot to ask", "request_quota.*/paymentrequest/verify",
              ("leaseup_dagster.request_quota", "INSERT", "true"))  # fmt: skip
PAYMENT = Commit("the payment found at Paystack", "INSERT INTO transaction",
                 ("transaction", "INSERT", "true"))  # fmt: skip
MARK = Commit("the claim", f"INSERT INTO {LEDGER}", (LEDGER, "INSERT", "true"))
RECORD = Commit("the record", rf"^\s*UPDATE {LEDGER} SET",
                (LEDGER, "UPDATE", "OLD.state = 'sending'"))  # fmt: skip
SETTLED = Commit("what a lookup found", f";.*UPDATE {LEDGER} SET|^ *UPDATE {LEDGER} SET",
                 (LEDGER, "UPDATE", "NEW.state <> 'planned'"))  # fmt: skip

Given = Callable[[Reminding], None]


def healthy(_: Reminding) -> None: ...


def one_has_paid(reminding: Reminding) -> None:
    reminding.world.paystack.pay(reminding.victim.request.request_code)
    reminding.late.remove(reminding.victim)


def one_is_unanswered(reminding: Reminding) -> None:
    faults = reminding.world.twilio.faults
    faults.on(SEND, Fault.drop_after_accepting(), matching=reminding.only_the_victim)
    reminding.run(reminding.day, None)
    reminding.world.heal()
    reminding.world.time_passes(minutes=10)


GIVEN: dict[Commit, Given] = {
    OVERDUE: healthy,
    SLOT: healthy,
    PAYMENT: one_has_paid,
    MARK: healthy,
    RECORD: healthy,
    SETTLED: one_is_unanswered,
}


def check(reminding: Reminding, world: World) -> None:
    paid = world.rows('SELECT count(*), count(DISTINCT "referenceId") FROM transaction')[0]
    assert paid[0] == paid[1] == LATE - len(reminding.late)
    assert reminding.texts()[reminding.victim.number] <= (
        2 if reminding.victim in reminding.late else 0
    )


@pytest.mark.parametrize(("commit", "severed", "recovery"), severed_with(list(GIVEN)), ids=str)
def test_a_commit_breaks(
    reminding: Reminding,
    world: World,
    cell: Cell,
    commit: Commit,
    severed: Severed,
    recovery: Recovery,
) -> None:
    cell("reminders", f"{commit}: {severed}", recovery)
    GIVEN[commit](reminding)
    reminding.silent = marked_and_not_sent(reminding, commit, severed.moment, severed.for_all)
    commit.sever(world, severed)

    recover(reminding, recovery, world.heal)

    check(reminding, world)


@pytest.mark.parametrize("recovery", AFTER_A_CRASH, ids=str)
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("commit", GIVEN, ids=str)
def test_the_process_dies_at_a_commit(
    reminding: Reminding,
    world: World,
    cell: Cell,
    commit: Commit,
    moment: Moment,
    recovery: Recovery,
) -> None:
    """Whoever was marked counts as texted, whether Twilio ever heard of it or not."""
    cell("reminders", f"{commit}: the process dies {moment} it", recovery)
    GIVEN[commit](reminding)
    reminding.silent = marked_and_not_sent(reminding, commit, moment, True)
    commit.crash(world, moment)

    recover(reminding, recovery, world.heal)

    check(reminding, world)


def marked_and_not_sent(
    reminding: Reminding, commit: Commit, moment: Moment | None, for_all: bool
) -> set[str]:
    """Whose text may never have left: the promise is silence, so that is all right."""
    if commit is MARK and (moment == "after" or for_all):
        return {one.number for one in reminding.late}
    if commit is RECORD and for_all:
        return {one.number for one in reminding.late}
    return set()


def test_every_commit_of_a_run_is_broken_above(reminding: Reminding, world: World) -> None:
    """A statement that is new in the protocol asks for its cells."""
    one_has_paid(reminding)
    one_is_unanswered(reminding)
    reminding.run(reminding.day, lambda: None)

    known = [commit.pattern for commit in GIVEN] + ["request_quota", "SHOW|pg_catalog"]
    new = [
        sql
        for sql in world.wire.commits
        if re.search("INSERT|UPDATE|DELETE", sql) and not any(re.search(p, sql) for p in known)
    ]
    assert [sql for sql in new if not re.search("FOR NO KEY UPDATE *$", sql)] == []
