"""A commit breaks while invoices are made, or the process dies at it."""

from collections.abc import Callable

import pytest

from leaseup_dagster.sandbox.faults import Fault
from tests.faults.conftest import Cell
from tests.faults.invoices import Mornings
from tests.faults.recovery import AFTER_A_CRASH, Recovery, recover
from tests.faults.vocabulary import Commit, Severed, severed_with
from tests.faults.wire import Moment
from tests.faults.world import World

pytestmark = pytest.mark.faults

LEDGER = "leaseup_dagster.invoice_ledger"
UPDATE = rf"^\s*UPDATE {LEDGER} SET"
MARKED = "OLD.state = 'requesting'"

PLAN = Commit("the plan", r"pg_advisory_xact_lock\(7263002\)", (LEDGER, "INSERT", "true"))
SECOND_LOOK = Commit("the second check the plan", r"'planned' AND \(lease_id, due_date\) IN")
QUOTA = "leaseup_dagster.request_quota"
SLOT = Commit("the slot to send", "request_quota.*POST /paymentrequest",
              (QUOTA, "INSERT", "NEW.endpoint = 'POST /paymentrequest'"))  # fmt: skip
MARK = Commit("the claim", rf"{UPDATE} state=.*attempts=.*planned",
              (LEDGER, "UPDATE", "NEW.state = 'requesting' AND OLD.state = 'planned'"))  # fmt: skip
RECORD = Commit("the record", "WITH done AS", ("invoice", "INSERT", "true"))
NO_ANSWER = Commit("the note that no answer came", rf"{UPDATE} error=",
                   (LEDGER, "UPDATE", "strpos(NEW.error, 'no answer') > 0"))  # fmt: skip
REFUSAL = Commit("the refusal", f"{UPDATE} state=.*error=.*refused",
                 (LEDGER, "UPDATE", "NEW.state = 'refused'"))  # fmt: skip
RELEASE = Commit("the release after a 429", f"{UPDATE} state=.*error=.*planned",
                 (LEDGER, "UPDATE", f"{MARKED} AND NEW.state = 'planned'"))  # fmt: skip
MARK_AGAIN = Commit("the claim, afresh", f"{UPDATE} state=.*attempts=.*requesting.*requesting",
                    (LEDGER, "UPDATE", "NEW.attempted_at > OLD.attempted_at"))  # fmt: skip
EXPECTED = Commit("what was missing, found again", "expected AS",
                  (LEDGER, "INSERT", "NEW.state = 'requesting'"))  # fmt: skip
ADOPTION = Commit("the adoption", '"paystackId" =.*WITH done AS', ("invoice", "INSERT", "true"))


def healthy(_: Mornings) -> None: ...


def answer(fault: Callable[[], Fault]) -> Callable[[Mornings], None]:
    def arm(mornings: Mornings) -> None:
        faults = mornings.world.paystack.faults
        faults.on_create(fault(), matching=mornings.only_the_victim)

    return arm


def left_unanswered(fault: Callable[[], Fault]) -> Callable[[Mornings], None]:
    """An earlier run left one month without an answer."""

    def leave(mornings: Mornings) -> None:
        answer(fault)(mornings)
        mornings.run(mornings.day, None)
        mornings.world.heal()
        mornings.world.time_passes(minutes=10)

    return leave


def lost(mornings: Mornings) -> None:
    """A backup was restored after everything was billed."""
    mornings.run(mornings.day, None)
    mornings.restore_a_backup()


GIVEN: dict[Commit, Callable[[Mornings], None]] = {
    PLAN: healthy,
    SECOND_LOOK: healthy,
    SLOT: healthy,
    MARK: healthy,
    RECORD: healthy,
    NO_ANSWER: answer(Fault.drop_after_accepting),
    REFUSAL: answer(lambda: Fault.status(400)),
    RELEASE: answer(lambda: Fault.rate_limit(x_ratelimit_reset="0")),
    EXPECTED: lost,
    MARK_AGAIN: left_unanswered(Fault.drop_before_accepting),
    ADOPTION: left_unanswered(Fault.drop_after_accepting),
}


@pytest.mark.parametrize(("commit", "severed", "recovery"), severed_with(list(GIVEN)), ids=str)
def test_a_commit_breaks(
    mornings: Mornings, world: World, cell: Cell, commit: Commit, severed: Severed,
    recovery: Recovery,
) -> None:  # fmt: skip
    """Where it concerns one month, the others are billed by the same run."""
    cell("invoices", f"{commit}: {severed}", recovery)
    GIVEN[commit](mornings)
    commit.sever(world, severed)

    def heal() -> None:
        if commit not in (PLAN, SECOND_LOOK, EXPECTED) and not severed.for_all:
            mornings.check_others_are_billed()
        world.heal()

    recover(mornings, recovery, heal)


@pytest.mark.parametrize("recovery", AFTER_A_CRASH, ids=str)
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("commit", GIVEN, ids=str)
def test_the_process_dies_at_a_commit(
    mornings: Mornings, world: World, cell: Cell, commit: Commit, moment: Moment,
    recovery: Recovery,
) -> None:  # fmt: skip
    cell("invoices", f"{commit}: the process dies {moment} it", recovery)
    GIVEN[commit](mornings)
    commit.crash(world, moment)

    recover(mornings, recovery, world.heal)


def test_every_commit_of_a_run_is_broken_above(mornings: Mornings, world: World) -> None:
    """A statement that is new in the protocol asks for its cells."""
    world.heal()
    for arm in GIVEN.values():
        arm(mornings)
    mornings.run(mornings.day, lambda: None)

    import re

    reads = re.compile(r"\s*SELECT ")
    known = [commit.pattern for commit in GIVEN] + ["request_quota", "SHOW|pg_catalog"]
    new = [
        sql
        for sql in world.wire.commits
        if not reads.match(sql) and not any(re.search(p, sql, re.S) for p in known)
    ]
    assert new == []
