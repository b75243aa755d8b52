"""What a morning had no time for is billed by the runs that follow, until nothing is left."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import dagster as dg
import pytest
from sqlalchemy import Engine

from leaseup_dagster.handover import REST
from leaseup_dagster.invoicing.jobs import check_upcoming_invoices
from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.invoicing.sensor import PAUSES, evaluate_leftover_invoices
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.settings import TaskSettings
from leaseup_dagster.stopping import stopping_with_its_run
from tests.conftest import Run

CHECK = "check_upcoming_invoices"
CREATE = "POST /paymentrequest"


@pytest.fixture
def own() -> dg.DagsterInstance:
    """Dagster's storage of this test alone: the sensor examines the newest run."""
    return dg.DagsterInstance.ephemeral()


@pytest.fixture
def instance(own: dg.DagsterInstance) -> dg.DagsterInstance:
    return own


Tick = Callable[..., dg.RunRequest | dg.SkipReason]


@pytest.fixture
def tick(engine: Engine, own: dg.DagsterInstance) -> Tick:
    def check(later: timedelta = timedelta()) -> dg.RunRequest | dg.SkipReason:
        context, now = dg.build_sensor_context(instance=own), datetime.now(tz=timezone.utc)
        return evaluate_leftover_invoices(context, engine, TaskSettings(), now=now + later)

    return check


def test_before_the_first_morning_it_does_nothing(tick: Tick) -> None:
    assert isinstance(tick(), dg.SkipReason)


def test_after_a_run_that_did_all_it_does_nothing(
    tick: Tick, run: Run, due_lease: Callable[[], LedgerKey]
) -> None:
    due_lease()
    assert run(CHECK).success

    assert tick() == dg.SkipReason("Nothing planned is left")


def test_what_a_run_had_no_time_for_is_billed_by_the_next(
    tick: Tick, run: Run, due_lease: Callable[[], LedgerKey], plan: Callable[[], object],
    paystack: PaystackStandIn,
) -> None:  # fmt: skip
    due_lease()
    assert run(CHECK).success
    due_lease()
    plan()

    asked = tick()

    assert isinstance(asked, dg.RunRequest)
    assert asked.run_key == f"after-{asked.tags['leaseup/continues']}"
    assert run(CHECK).success
    assert len(paystack.payment_requests) == 2
    assert tick() == dg.SkipReason("Nothing planned is left")


def test_each_run_is_followed_once(
    tick: Tick, run: Run, due_lease: Callable[[], LedgerKey], plan: Callable[[], object]
) -> None:
    """Dagster starts no second run with the same key."""
    due_lease()
    assert run(CHECK).success
    due_lease()
    plan()

    first, second = tick(), tick()

    assert isinstance(first, dg.RunRequest)
    assert isinstance(second, dg.RunRequest)
    assert first.run_key == second.run_key


def test_what_a_failed_run_left_rests_for_an_hour(
    tick: Tick, run: Run, due_lease: Callable[[], LedgerKey], paystack: PaystackStandIn
) -> None:
    due_lease()
    paystack.habits.keys = {"another"}
    assert not run(CHECK).success

    assert isinstance(tick(), dg.SkipReason)
    assert isinstance(tick(REST - timedelta(minutes=1)), dg.SkipReason)
    assert isinstance(tick(REST + timedelta(minutes=1)), dg.RunRequest)


def test_a_run_that_failed_for_one_and_billed_others_is_followed_at_once(
    tick: Tick, run: Run, due_lease: Callable[[], LedgerKey], plan: Callable[[], object],
    paystack: PaystackStandIn,
) -> None:  # fmt: skip
    due_lease()
    due_lease()
    paystack.faults.on_create(Fault.refuse(400, "no"))
    assert not run(CHECK).success
    due_lease()
    plan()

    assert isinstance(tick(), dg.RunRequest)


def test_a_run_that_succeeds_and_bills_nothing_is_not_followed_at_once(
    tick: Tick, run: Run, due_lease: Callable[[], LedgerKey], plan: Callable[[], object]
) -> None:
    """Else it would be launched for ever, and nobody alerted."""
    due_lease()
    assert run(CHECK).success
    assert run(CHECK).success
    due_lease()
    plan()

    assert isinstance(tick(), dg.SkipReason)
    assert isinstance(tick(REST + timedelta(minutes=1)), dg.RunRequest)


@pytest.mark.parametrize(
    "status",
    [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED],
)
def test_a_run_at_work_or_stopped_by_a_person_is_not_followed(
    tick: Tick, due_lease: Callable[[], LedgerKey], plan: Callable[[], object],
    own: dg.DagsterInstance, status: dg.DagsterRunStatus,
) -> None:  # fmt: skip
    due_lease()
    plan()
    own.create_run_for_job(check_upcoming_invoices, status=status)

    assert isinstance(tick(timedelta(days=1)), dg.SkipReason)


SCHEDULED = {"dagster/schedule_name": "invoicing_at_seven"}


@pytest.fixture
def failed_morning(run: Run, settings: pytest.MonkeyPatch) -> Callable[..., None]:
    """A morning whose database is away."""

    def fail(**tags: str) -> None:
        with settings.context() as setting:
            setting.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:9/leaseup")
            assert not run(CHECK, None, SCHEDULED | tags).success

    return fail


def test_a_morning_that_failed_before_its_plan_is_launched_again_with_growing_pauses(
    tick: Tick, failed_morning: Callable[..., None]
) -> None:
    tries: dict[str, str] = {}
    for pause in PAUSES:
        failed_morning(**tries)

        waits = tick(pause - timedelta(minutes=1))
        assert isinstance(waits, dg.SkipReason)
        assert "it is launched again at" in str(waits.skip_message)
        asked = tick(pause + timedelta(seconds=1))
        assert isinstance(asked, dg.RunRequest)
        tries = dict(asked.tags)
    failed_morning(**tries)

    last = tick(timedelta(days=1))
    assert isinstance(last, dg.SkipReason)
    assert "check it" in str(last.skip_message)


def test_a_morning_that_a_person_launched_is_not_launched_again(
    tick: Tick, run: Run, settings: pytest.MonkeyPatch
) -> None:
    with settings.context() as setting:
        setting.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:9/leaseup")
        assert not run(CHECK).success

    assert tick(timedelta(hours=2)) == dg.SkipReason("Nothing planned is left")


def test_a_plan_that_waits_for_a_persons_word_is_not_launched_again(
    tick: Tick, run: Run, due_lease: Callable[[], LedgerKey], settings: pytest.MonkeyPatch
) -> None:
    due_lease()
    due_lease()
    settings.setenv("TASK_MAX_NEW_INVOICES", "1")
    assert not run(CHECK, None, SCHEDULED).success

    assert tick(timedelta(hours=2)) == dg.SkipReason("Nothing planned is left")


Begun = Callable[..., dg.DagsterRun]


@pytest.fixture
def begun(own: dg.DagsterInstance) -> Begun:
    """A morning's run that is at work, launched as the daemon would."""

    def begin(asked: dg.RunRequest | None = None) -> dg.DagsterRun:
        run = own.create_run_for_job(
            check_upcoming_invoices,
            status=dg.DagsterRunStatus.NOT_STARTED,
            tags={**check_upcoming_invoices.tags, **(asked.tags if asked else {})},
        )
        started = dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, run.job_name)
        own.report_dagster_event(started, run_id=run.run_id)
        found = own.get_run_by_id(run.run_id)
        assert found
        return found

    return begin


LATE = timedelta(seconds=170)


def test_a_run_at_work_hands_over_before_its_time_is_up(
    tick: Tick, begun: Begun, due_lease: Callable[[], LedgerKey], plan: Callable[[], object]
) -> None:
    due_lease()
    plan()
    first = begun()

    assert isinstance(tick(timedelta(seconds=160)), dg.SkipReason)
    asked = tick(LATE)

    assert isinstance(asked, dg.RunRequest)
    assert asked.tags["leaseup/continues"] == first.run_id
    lanes = [first.tags["leaseup/exclusive"], asked.tags["leaseup/exclusive"]]
    assert len(set(lanes)) == 2
    again = begun(asked)
    assert again.tags["leaseup/exclusive"] == lanes[1]
    assert isinstance(tick(timedelta(seconds=160)), dg.SkipReason)
    third = tick(LATE)
    assert isinstance(third, dg.RunRequest)
    assert third.tags["leaseup/exclusive"] == lanes[0]


def test_a_run_that_leaves_nothing_hands_nothing_over(tick: Tick, begun: Begun) -> None:
    begun()

    assert isinstance(tick(LATE), dg.SkipReason)


@pytest.mark.parametrize("which", [0, 1])
def test_whichever_of_two_runs_a_person_stops_the_day_is_over(
    tick: Tick, begun: Begun, due_lease: Callable[[], LedgerKey], plan: Callable[[], object],
    own: dg.DagsterInstance, which: int,
) -> None:  # fmt: skip
    due_lease()
    plan()
    runs = [begun()]
    asked = tick(LATE)
    assert isinstance(asked, dg.RunRequest)
    runs.append(begun(asked))
    stops = [threading.Event(), threading.Event()]
    with (
        stopping_with_its_run(stops[0], own, runs[0].run_id),
        stopping_with_its_run(stops[1], own, runs[1].run_id),
    ):
        assert not any(stop.is_set() for stop in stops)
        own.report_run_canceling(runs[which])
        assert all(stop.wait(5) for stop in stops)
    own.report_run_canceled(runs[which])

    skipped = tick(LATE)

    assert isinstance(skipped, dg.SkipReason)
    assert f"{runs[which].run_id} was stopped by a person" in (skipped.skip_message or "")


def test_a_run_beside_another_begins_where_that_one_does_not(
    begun: Begun, due_lease: Callable[[], LedgerKey], own: dg.DagsterInstance,
    settings: pytest.MonkeyPatch, paystack: PaystackStandIn,
) -> None:  # fmt: skip
    from leaseup_dagster.definitions import defs

    settings.setenv("TASK_BATCH_SIZE", "1")  # a step a month, one after the other
    keys = sorted(due_lease() for _ in range(4))
    begun()

    second = "00000000-0000-4000-8000-000000000000"  # whatever its id is
    day = {"ops": {"plan_invoices": {"config": {"as_of": "2026-11-24"}}}}
    job = defs.resolve_job_def(CHECK)
    assert job.execute_in_process(run_config=day, instance=own, run_id=second).success

    asked = [seen.body["metadata"]["lease_id"] for seen in paystack.requests_to(CREATE)]
    assert asked == [key.lease_id for key in (*keys[2:], *keys[:2])]
