"""A step that is tried again: a failover may have happened, or Paystack gone away."""

from collections import Counter
from collections.abc import Callable, Iterator

import dagster as dg
import pytest
from dagster._core.utils import make_new_run_id
from sqlalchemy import Connection, text

from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.retries import waiting_at_most
from leaseup_dagster.sandbox.faults import Ending, Fault, Reply
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from tests.faults.dagster_jobs import reconstructable_job, resolve_job, run_config
from tests.invoicing.creation.test_restored_backup import (
    AS_OF,
    CHECK,
    CREATE,
    LEDGER,
    LIST,
    Lease,
    Run,
    assert_all_are_billed_once,
)
from tests.invoicing.test_jobs import failure_of, report_of

pytestmark = pytest.mark.faults


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """Of this test alone: a run that another test left at work would share the months."""
    with dg.DagsterInstance.ephemeral() as own:
        yield own


@pytest.fixture
def in_a_second_attempt(paystack: PaystackStandIn) -> Callable[..., None]:
    """`in_a_second_attempt(key, act)`: while it sends `key`, after the others were recorded."""
    not_yet = Fault.rate_limit(x_ratelimit_reset="0")

    def arrange(key: LedgerKey, act: Callable[[], None]) -> None:
        def acted(reply: Reply) -> Ending:
            act()
            return not_yet.ending(reply)

        for fault in (not_yet, Fault(acted, accepts=False)):
            paystack.faults.on_create(fault, matching=f'"lease_id":"{key.lease_id}"')

    return arrange


@pytest.mark.parametrize(
    "of_dagster_too", [False, True], ids=["LeaseUp's", "LeaseUp's and Dagster's"]
)
def test_a_standby_takes_over_in_the_middle_of_a_step(
    run: Run, plan: Callable[[], object], backup, in_a_second_attempt: Callable[..., None],
    due_lease: Lease, connection: Connection, paystack: PaystackStandIn,
    instance: dg.DagsterInstance, of_dagster_too: bool,
) -> None:  # fmt: skip
    *_, last = [due_lease() for _ in range(3)]
    plan()
    restore = backup()

    def take_over() -> None:
        restore()
        if of_dagster_too:
            (at_work,) = instance.get_runs()
            instance.event_log_storage.delete_events(at_work.run_id)

    in_a_second_attempt(last, take_over)

    result = run(*CHECK)

    assert result.success
    assert (report_of(result)["billed invoices"], report_of(result)["found at Paystack"]) == (
        3,
        "2",
    )
    assert_all_are_billed_once(connection, paystack, leases=3)


def test_a_standby_took_over_and_the_run_goes_on_from_its_failure(
    settings: pytest.MonkeyPatch, plan: Callable[[], object], backup,
    in_a_second_attempt: Callable[..., None], due_lease: Lease, connection: Connection,
    paystack: PaystackStandIn,
) -> None:  # fmt: skip
    """The check that the failed run took is not repeated: it succeeded, and is out of date."""
    *_, last = [due_lease() for _ in range(3)]
    plan()
    take_over = backup()
    away = text(f"ALTER TABLE {LEDGER} RENAME TO away")
    in_a_second_attempt(last, lambda: connection.execute(away))
    job = reconstructable_job("check_upcoming_invoices")
    with dg.DagsterInstance.ephemeral() as instance, waiting_at_most(0):
        failed = dg.execute_job(job, instance, run_config=run_config({"plan_invoices": AS_OF}))
        connection.execute(text("ALTER TABLE leaseup_dagster.away RENAME TO invoice_ledger"))
        take_over()
        from_failure = dg.ReexecutionOptions.from_failure(failed.run_id, instance)

        result = dg.execute_job(job, instance, reexecution_options=from_failure)

    assert len(paystack.payment_requests) == 3
    assert (failed.success, result.success) == (False, True)
    assert_all_are_billed_once(connection, paystack, leases=3)


def test_a_step_that_a_broker_hands_to_a_second_worker_takes_a_look_of_its_own(
    settings: pytest.MonkeyPatch, instance: dg.DagsterInstance, due_lease: Lease,
    paystack: PaystackStandIn,
) -> None:  # fmt: skip
    """Its first worker died with the database, perhaps; Dagster does not count that attempt."""
    due_lease()
    begun = dg.DagsterEvent(
        dg.DagsterEventType.STEP_START.value, CHECK[0],
        step_key="create_planned_invoices[batch_001]",
    )  # fmt: skip
    run_id = make_new_run_id()
    instance.report_dagster_event(begun, run_id)

    result = resolve_job(CHECK[0]).execute_in_process(
        run_id=run_id, instance=instance, run_config=run_config({"plan_invoices": AS_OF})
    )

    assert result.success
    assert Counter(seen.endpoint for seen in paystack.requests) == {LIST: 2, CREATE: 1}


def test_what_paystack_may_have_is_not_said_to_be_unsent(
    run: Run, settings: pytest.MonkeyPatch, plan: Callable[[], object], due_lease: Lease,
    paystack: PaystackStandIn,
) -> None:  # fmt: skip
    """It goes away in the middle of a step: one was made, one had no answer, one was not sent."""
    settings.setenv("TASK_MAX_DURATION_SECONDS", "60")  # too short for it to be decided
    _, unanswered, unsent = sorted(due_lease() for _ in range(3))  # as they are sent
    plan()

    def goes_away(_: Reply) -> Ending:
        paystack.faults.on_list(Fault.status(503), times=None)
        return Reply.of(429, {"status": False, "message": "Rate limit exceeded!"})

    for key, fault in (
        (unanswered, Fault.status(500)),
        (unsent, Fault(goes_away, accepts=False)),
    ):
        paystack.faults.on_create(fault, matching=f'"lease_id":"{key.lease_id}"')

    result = run(*CHECK)

    failure = failure_of(result)
    assert f"lease_id={unsent.lease_id} due_date=2026-12-01 (planned): Nothing was sent" in failure
    assert f"lease_id={unanswered.lease_id} due_date=2026-12-01 (requesting): " in failure
    assert "(requesting): Nothing was sent" not in failure
    assert len(paystack.payment_requests) == 1
