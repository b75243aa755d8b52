"""A commit fails while invoices are created, or the process dies at it."""

from collections.abc import Callable

import pytest

from leaseup_dagster.sandbox.faults import Fault
from tests.faults.conftest import Cell
from tests.faults.failures import Commit, CommitFailure, commit_cells, commits_without_cells
from tests.faults.postgres_proxy import Moment
from tests.faults.recovery import RECOVERIES_AFTER_A_CRASH, Recovery, recover
from tests.faults.scenarios.invoices import InvoiceScenario
from tests.faults.world import World

pytestmark = pytest.mark.faults

LEDGER = "leaseup_dagster.invoice_ledger"
UPDATE = rf"^\s*UPDATE {LEDGER} SET"
WAS_REQUESTING = "OLD.state = 'requesting'"

PLAN = Commit("the plan", r"pg_advisory_xact_lock\(7263002\)", (LEDGER, "INSERT", "true"))
RECHECK = Commit("the second check the plan", r"'planned' AND \(lease_id, due_date\) IN")
QUOTA = "leaseup_dagster.request_quota"
SLOT = Commit("the slot to send", "request_quota.*POST /paymentrequest",
              (QUOTA, "INSERT", "NEW.endpoint = 'POST /paymentrequest'"))  # fmt: skip
CLAIM = Commit("the mark", rf"{UPDATE} state=.*attempts=.*planned",
              (LEDGER, "UPDATE", "NEW.state = 'requesting' AND OLD.state = 'planned'"))  # fmt: skip
RECORD = Commit("the record", "WITH done AS", ("invoice", "INSERT", "true"))
NO_ANSWER = Commit("the note that no answer came", rf"{UPDATE} error=",
                   (LEDGER, "UPDATE", "strpos(NEW.error, 'no answer') > 0"))  # fmt: skip
REFUSAL = Commit("the refusal", f"{UPDATE} state=.*error=.*refused",
                 (LEDGER, "UPDATE", "NEW.state = 'refused'"))  # fmt: skip
RELEASE = Commit("the release after a 429", f"{UPDATE} state=.*error=.*planned",
                 (LEDGER, "UPDATE", f"{WAS_REQUESTING} AND NEW.state = 'planned'"))  # fmt: skip
CLAIM_AGAIN = Commit("the mark, afresh", f"{UPDATE} state=.*attempts=.*requesting.*requesting",
                    (LEDGER, "UPDATE", "NEW.attempted_at > OLD.attempted_at"))  # fmt: skip
ORPHAN = Commit("what was missing, found again", "expected AS",
                  (LEDGER, "INSERT", "NEW.state = 'requesting'"))  # fmt: skip
ADOPTION = Commit("the adoption", '"paystackId" =.*WITH done AS', ("invoice", "INSERT", "true"))


def healthy(_: InvoiceScenario) -> None:
    """Nothing to prepare."""


def faulty_answer(fault: Callable[[], Fault]) -> Callable[[InvoiceScenario], None]:
    """Paystack's answer to the victim's request is faulty."""

    def arm(invoicing: InvoiceScenario) -> None:
        faults = invoicing.world.paystack.faults
        faults.on_create(fault(), matching=invoicing.victim_marker)

    return arm


def left_unanswered(fault: Callable[[], Fault]) -> Callable[[InvoiceScenario], None]:
    """An earlier run left the victim's request unanswered."""

    def run_before(invoicing: InvoiceScenario) -> None:
        faulty_answer(fault)(invoicing)
        invoicing.run(invoicing.day, None)
        invoicing.world.heal()
        invoicing.world.time_passes(minutes=10)

    return run_before


def restored(invoicing: InvoiceScenario) -> None:
    """A backup was restored after everything was billed."""
    invoicing.run(invoicing.day, None)
    invoicing.restore_a_backup()


PREPARATIONS: dict[Commit, Callable[[InvoiceScenario], None]] = {
    PLAN: healthy,
    RECHECK: healthy,
    SLOT: healthy,
    CLAIM: healthy,
    RECORD: healthy,
    NO_ANSWER: faulty_answer(Fault.drop_after_accepting),
    REFUSAL: faulty_answer(lambda: Fault.status(400)),
    RELEASE: faulty_answer(lambda: Fault.rate_limit(x_ratelimit_reset="0")),
    ORPHAN: restored,
    CLAIM_AGAIN: left_unanswered(Fault.drop_before_accepting),
    ADOPTION: left_unanswered(Fault.drop_after_accepting),
}


@pytest.mark.parametrize(
    ("commit", "failure", "recovery"), commit_cells(list(PREPARATIONS)), ids=str
)
def test_a_commit_fails(
    invoicing: InvoiceScenario, world: World, cell: Cell, commit: Commit, failure: CommitFailure,
    recovery: Recovery,
) -> None:  # fmt: skip
    """When it concerns one month, the others are billed by the same run."""
    cell("invoices", f"{commit}: {failure}", recovery)
    PREPARATIONS[commit](invoicing)
    commit.fail_with(world, failure)

    def heal() -> None:
        if commit not in (PLAN, RECHECK, ORPHAN) and not failure.for_all:
            invoicing.check_others_are_billed()
        world.heal()

    recover(invoicing, recovery, heal)


@pytest.mark.parametrize("recovery", RECOVERIES_AFTER_A_CRASH, ids=str)
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("commit", PREPARATIONS, ids=str)
def test_the_process_dies_at_a_commit(
    invoicing: InvoiceScenario, world: World, cell: Cell, commit: Commit, moment: Moment,
    recovery: Recovery,
) -> None:  # fmt: skip
    cell("invoices", f"{commit}: the process dies {moment} it", recovery)
    PREPARATIONS[commit](invoicing)
    commit.crash(world, moment)

    recover(invoicing, recovery, world.heal)


def test_every_commit_of_a_run_has_cells(invoicing: InvoiceScenario, world: World) -> None:
    """A new statement in the protocol needs cells of its own."""
    world.heal()
    for arm in PREPARATIONS.values():
        arm(invoicing)
    invoicing.run(invoicing.day, lambda: None)

    assert commits_without_cells(world, list(PREPARATIONS)) == []
