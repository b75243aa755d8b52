"""Whom a morning's run had no time for is texted by the runs that follow, on the same day."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
)
from dagster._core.storage.schedules import SqliteScheduleStorage
from sqlalchemy import Connection, Engine

from leaseup_dagster.as_of import johannesburg_date
from leaseup_dagster.reminders import sensor
from leaseup_dagster.reminders.jobs import send_late_payment_reminders
from leaseup_dagster.reminders.keys import Kind, ReminderDay
from leaseup_dagster.reminders.overdue import selection
from leaseup_dagster.reminders.rules.policy import ReminderPolicy
from leaseup_dagster.reminders.sending import batches, unanswered
from leaseup_dagster.reminders.sending.circuit_breaker import FAILURE_THRESHOLD
from leaseup_dagster.reminders.sending.protocol import ReminderDelivery
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.sandbox.twilio import SEND, TwilioStandIn, error
from leaseup_dagster.settings import ReminderSettings, TaskSettings
from leaseup_dagster.sms.sender import Unknown
from leaseup_dagster.stopping import CONTINUES, stopping_with_its_run
from tests.conftest import Run
from tests.reminders.conftest import NOON, Late, Remind, five_minutes_pass, kinds
from tests.reminders.test_jobs import ALL_DAY, report_of

TEXT, MARK = "send_late_payment_reminders", "mark_overdue_invoices"
VERIFY = "GET /paymentrequest/verify/:code"
LATE = timedelta(seconds=170)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """Dagster's storage of this test alone: the sensor examines the day's runs, and whether the
    schedule is on, for which there is none in memory."""
    with dg.DagsterInstance.ephemeral() as instance:
        instance._schedule_storage = SqliteScheduleStorage.from_local(str(tmp_path))
        yield instance


@pytest.fixture
def instance(own: dg.DagsterInstance) -> dg.DagsterInstance:
    return own


@pytest.fixture
def today(texting: pytest.MonkeyPatch) -> date:
    """In Johannesburg, where it is no quiet hour now."""
    texting.setenv("REMINDER_QUIET_HOURS", "00:00-00:00")
    return johannesburg_date(datetime.now(tz=timezone.utc))


@pytest.fixture
def overdue(today: date, late: Callable[..., Late]) -> Callable[..., Late]:
    """`late`, of an invoice that is four days overdue today."""
    return lambda **values: late(dueDate=today - timedelta(days=4), **values)


Tick = Callable[[], dg.RunRequest | dg.SkipReason]


@pytest.fixture
def tick(engine: Engine, own: dg.DagsterInstance, today: date) -> Tick:
    def check() -> dg.RunRequest | dg.SkipReason:
        context, now = dg.build_sensor_context(instance=own), datetime.now(tz=timezone.utc)
        rules, tasks = ReminderSettings(), TaskSettings()
        return sensor.evaluate_leftover_invoices(context, engine, rules, tasks, now=now)

    return check


Text = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def send(run: Run, today: date) -> Text:
    """A run of the job for today; or the one that is asked for."""

    def execute(asked: dg.RunRequest | None = None, **config: Any) -> dg.ExecuteInProcessResult:
        if asked:
            ops = asked.run_config["ops"]
            return run(TEXT, {op: given["config"] for op, given in ops.items()}, dict(asked.tags))
        return run(TEXT, {MARK: {"as_of": today.isoformat(), **config}})

    return execute


@pytest.fixture
def one_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that has time for one text only."""
    monkeypatch.setattr(selection, "MAX_PER_RUN", 1)


def why_not(answer: dg.RunRequest | dg.SkipReason) -> str:
    assert isinstance(answer, dg.SkipReason), answer
    return str(answer.skip_message)


def config(asked: dg.RunRequest | dg.SkipReason) -> dict[str, Any]:
    """The config of the run that is asked for."""
    assert isinstance(asked, dg.RunRequest), asked
    config: dict[str, Any] = asked.run_config["ops"][MARK]["config"]
    return config


def test_before_the_days_first_run_it_does_nothing(tick: Tick, today: date) -> None:
    assert why_not(tick()) == f"No run for {today} yet"


def test_who_gets_no_text_at_all_is_not_left(tick: Tick, send: Text, overdue, twilio) -> None:
    """They are due one for ever; a run for them alone would be the first of very many."""
    overdue()
    overdue(phone="011 555 1234")
    assert send().success
    assert len(twilio.messages) == 1

    assert why_not(tick()) == "Nothing is left for today"


@pytest.mark.usefixtures("one_a_run")
def test_a_day_too_large_for_one_run_is_done_on_that_day_and_nobody_is_texted_twice(
    tick: Tick, send: Text, overdue, twilio: TwilioStandIn, today: date
) -> None:
    numbers = [overdue().number for _ in range(3)]
    assert report_of(send())["left for the next run"] == "2"

    runs = 0
    while isinstance(asked := tick(), dg.RunRequest):
        assert config(asked) == {"as_of": today.isoformat()}
        assert send(asked).success
        runs += 1

    assert runs == 2
    assert sorted(m.to for m in twilio.messages) == sorted(numbers)
    assert why_not(tick()) == "Nothing is left for today"


@pytest.mark.usefixtures("one_a_run")
def test_each_run_is_followed_once(tick: Tick, send: Text, overdue) -> None:
    """Dagster starts no second run with the same key."""
    overdue()
    overdue()
    done = send()

    first, second = tick(), tick()

    assert isinstance(first, dg.RunRequest)
    assert isinstance(second, dg.RunRequest)
    assert first.run_key == second.run_key == f"after-{done.run_id}"
    assert first.tags[CONTINUES] == done.run_id


@pytest.mark.usefixtures("one_a_run")
def test_what_a_person_has_confirmed_holds_for_what_is_left_and_no_more_than_that(
    tick: Tick, send: Text, overdue, texting, twilio: TwilioStandIn, today: date
) -> None:
    texting.setenv("REMINDER_MAX_TEXTS", "1")
    for _ in range(3):
        overdue()
    assert send(confirm_up_to=3, ignore_quiet_hours=True).success

    asked = tick()

    assert config(asked) == {"as_of": today.isoformat(), "confirm_up_to": 3}
    assert isinstance(asked, dg.RunRequest)
    assert send(asked).success
    assert len(twilio.messages) == 2


def test_a_run_that_waits_for_a_persons_word_is_not_launched_again(
    tick: Tick, send: Text, overdue, texting, monkeypatch: pytest.MonkeyPatch
) -> None:
    texting.setenv("REMINDER_MAX_TEXTS", "1")
    overdue()
    overdue()
    assert not send().success
    monkeypatch.setattr(sensor, "REST", timedelta())

    assert "texted nobody" in why_not(tick())


@pytest.mark.usefixtures("one_a_run")
def test_a_run_that_texted_nobody_is_not_launched_again(
    tick: Tick, send: Text, overdue, twilio: TwilioStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outage: each of its runs would lose up to three texts."""
    overdue()
    overdue()
    twilio.faults.on(SEND, Fault.answer(error(500, 20500)), times=None)
    done = send()
    assert report_of(done)["left for the next run"] == "1"
    monkeypatch.setattr(sensor, "REST", timedelta())

    assert "texted nobody" in why_not(tick())


@pytest.mark.usefixtures("one_a_run")
def test_switched_off_nothing_is_launched_again(tick: Tick, send: Text, overdue, texting) -> None:
    texting.setenv("SMS_ENABLED", "false")
    overdue()
    overdue()
    assert send().success

    assert "texted nobody" in why_not(tick())


def test_what_a_failed_run_left_rests(
    tick: Tick, send: Text, overdue, twilio: TwilioStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the provider's bad day would be met by a run a minute, each with an alert."""
    monkeypatch.setattr(selection, "MAX_PER_RUN", 2)
    made = [overdue() for _ in range(3)]
    twilio.faults.on(SEND, Fault.answer(error(401, 20003)), matching=made[1].number[1:], times=None)
    done = send()
    assert not done.success
    assert len(twilio.messages) == 1

    assert "rests until" in why_not(tick())
    monkeypatch.setattr(sensor, "REST", timedelta())
    assert config(tick())


@pytest.mark.usefixtures("one_a_run")
def test_in_the_quiet_hours_nothing_is_launched(tick: Tick, send: Text, overdue, texting) -> None:
    overdue()
    overdue()
    assert send().success
    texting.setenv("REMINDER_QUIET_HOURS", ALL_DAY)

    assert why_not(tick()) == "Nobody is texted in the quiet hours"


@pytest.mark.usefixtures("one_a_run")
@pytest.mark.parametrize("status", [InstigatorStatus.STOPPED, InstigatorStatus.RUNNING])
def test_with_the_schedule_switched_off_nothing_is_launched(
    tick: Tick, send: Text, overdue, own: dg.DagsterInstance, status: InstigatorStatus
) -> None:
    """After a restored backup, when the ledger no longer has texts, that is what a person does."""
    overdue()
    overdue()
    assert send().success
    here = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "__repository__")
    origin = RemoteInstigatorOrigin(here, "reminders_at_nine")
    state = InstigatorState(
        origin, InstigatorType.SCHEDULE, status, ScheduleInstigatorData("0 9 * * *")
    )
    own.add_instigator_state(state)

    if status is InstigatorStatus.RUNNING:
        assert config(tick())
    else:
        assert why_not(tick()) == "reminders_at_nine is switched off, so nobody is texted"


@pytest.mark.usefixtures("one_a_run")
def test_only_todays_run_is_followed_whatever_was_launched_after_it(
    tick: Tick, send: Text, overdue, today: date
) -> None:
    for _ in range(3):
        overdue()
    yesterday = (today - timedelta(days=1)).isoformat()
    assert send(as_of=yesterday).success
    assert why_not(tick()) == f"No run for {today} yet"

    done = send(as_of="")
    assert done.success
    assert send(as_of=yesterday).success

    asked = tick()
    assert config(asked)["as_of"] == today.isoformat()
    assert isinstance(asked, dg.RunRequest)
    assert asked.tags[CONTINUES] == done.run_id


Begun = Callable[..., dg.DagsterRun]


@pytest.fixture
def begun(own: dg.DagsterInstance, remind: Remind, overdue, today: date) -> Begun:
    """A run of today that has been at work for so long, and has texted one tenant."""

    def begin(ago: timedelta = LATE, asked: dg.RunRequest | None = None) -> dg.DagsterRun:
        job = send_late_payment_reminders
        run = own.create_run_for_job(
            job,
            status=dg.DagsterRunStatus.NOT_STARTED,
            tags={**job.tags, **(asked.tags if asked else {})},
            run_config={"ops": {MARK: {"config": {"as_of": today.isoformat()}}}},
        )
        started = dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, run.job_name)
        at = (datetime.now(tz=timezone.utc) - ago).timestamp()
        own.report_dagster_event(started, run_id=run.run_id, timestamp=at)
        overdue()
        remind(today, run_id=run.run_id)
        found = own.get_run_by_id(run.run_id)
        assert found
        return found

    return begin


def test_a_run_at_work_hands_over_before_its_time_is_up(tick: Tick, begun: Begun, overdue) -> None:
    begun(timedelta(seconds=160))
    overdue()
    assert "is at work" in why_not(tick())
    first = begun()
    overdue()

    asked = tick()

    assert config(asked)
    assert isinstance(asked, dg.RunRequest)
    assert asked.tags[CONTINUES] == first.run_id
    lanes = [first.tags["leaseup/exclusive"], asked.tags["leaseup/exclusive"]]
    assert len(set(lanes)) == 2
    begun(asked=asked)
    overdue()
    third = tick()
    assert isinstance(third, dg.RunRequest)
    assert third.tags["leaseup/exclusive"] == lanes[0]


def test_a_run_at_work_that_leaves_nobody_hands_nothing_over(tick: Tick, begun: Begun) -> None:
    begun()

    assert why_not(tick()) == "Nothing is left for today"


@pytest.mark.parametrize("which", [0, 1])
def test_whichever_of_two_runs_a_person_stops_the_day_is_over(
    tick: Tick, begun: Begun, overdue, own: dg.DagsterInstance, which: int
) -> None:
    runs = [begun()]
    overdue()
    asked = tick()
    assert isinstance(asked, dg.RunRequest)
    runs.append(begun(asked=asked))
    overdue()
    stops = [threading.Event(), threading.Event()]
    with (
        stopping_with_its_run(stops[0], own, runs[0].run_id),
        stopping_with_its_run(stops[1], own, runs[1].run_id),
    ):
        assert not any(stop.is_set() for stop in stops)
        own.report_run_canceling(runs[which])
        assert all(stop.wait(5) for stop in stops)
    own.report_run_canceled(runs[which])

    assert f"{runs[which].run_id} was stopped by a person" in why_not(tick())


def test_a_run_whose_other_half_was_stopped_texts_nobody(
    begun: Begun, send: Text, overdue, own: dg.DagsterInstance, twilio: TwilioStandIn,
    today: date, run: Run, paystack: PaystackStandIn,
) -> None:  # fmt: skip
    first = begun()
    texted, asked = len(twilio.messages), len(paystack.requests_to(VERIFY))
    overdue()
    own.report_run_canceled(first)

    done = run(TEXT, {MARK: {"as_of": today.isoformat()}}, {CONTINUES: first.run_id})

    assert report_of(done)["left for the next run"] == "1"
    assert len(twilio.messages) == texted
    assert len(paystack.requests_to(VERIFY)) == asked


def test_a_run_that_is_told_to_stop_looks_for_no_more_texts(
    remind: Remind, delivery: ReminderDelivery, overdue, today: date, twilio: TwilioStandIn,
    connection: Connection, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for _ in range(2 * FAILURE_THRESHOLD):
        overdue()
    twilio.faults.on(SEND, Fault.drop_after_accepting(), times=None)
    remind(today)
    remind(today)
    five_minutes_pass(connection)
    asked: list[str] = []

    def stopped_meanwhile(number: str, *_: object) -> Unknown:
        asked.append(number)
        delivery.paystack.stop.set()
        return Unknown("no answer")

    monkeypatch.setattr(delivery.sender, "look_up", stopped_meanwhile)
    settled = unanswered.resolve_unanswered(delivery, 60)

    assert settled.still_unknown == 2 * FAILURE_THRESHOLD
    assert len(asked) <= FAILURE_THRESHOLD


def test_a_run_beside_another_begins_where_that_one_does_not(
    begun: Begun, overdue, own: dg.DagsterInstance, texting, monkeypatch: pytest.MonkeyPatch,
    twilio: TwilioStandIn, today: date,
) -> None:  # fmt: skip
    from leaseup_dagster.definitions import defs

    texting.setenv("TASK_BATCH_SIZE", "1")
    monkeypatch.setattr(batches, "ROUND", 1)  # one after the other
    begun()
    made = sorted((overdue() for _ in range(4)), key=lambda one: one.invoice_id)

    second = "00000000-0000-4000-8000-000000000000"  # whatever its id is
    config = {"ops": {MARK: {"config": {"as_of": today.isoformat()}}}}
    job = defs.resolve_job_def(TEXT)
    assert job.execute_in_process(run_config=config, instance=own, run_id=second).success

    in_turn = [one.number for one in (*made[2:], *made[:2])]
    assert [message.to for message in twilio.messages[-4:]] == in_turn


def test_whom_another_run_has_texted_by_now_paystack_is_not_asked_about_again(
    delivery: ReminderDelivery, remind: Remind, overdue, today: date, engine: Engine,
    paystack: PaystackStandIn, twilio: TwilioStandIn,
) -> None:  # fmt: skip
    made = overdue()
    with engine.begin() as connection:
        found = selection.find(connection, ReminderPolicy.of(delivery.rules), today)
    (batch,) = batches.cut(found, ReminderDay(today, 0, False), 10)
    remind(today)

    results = batches.remind(batch, delivery, run_id="second", width=10, seconds=60)

    said = batches.report(batch, delivery, results, "second").results
    assert [(one.invoice_id, one.kind) for one in said] == [(made.invoice_id, Kind.ALREADY_TEXTED)]
    assert len(paystack.requests_to(VERIFY)) == len(twilio.messages) == 1


def test_hardly_more_is_asked_about_than_there_is_time_to_text_about(
    remind: Remind, delivery: ReminderDelivery, overdue, today: date, paystack: PaystackStandIn,
    twilio: TwilioStandIn, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A batch of thousands takes longer to ask about than a run lasts: nobody would be texted."""
    monkeypatch.setattr(batches, "ROUND", 1)  # of ten questions
    for _ in range(25):
        overdue()
    asked: list[int] = []

    def clock() -> datetime:
        asked.append(len(paystack.requests_to(VERIFY)))
        if len(twilio.messages) >= 3:
            delivery.paystack.stop.set()
        return NOON

    stopped = replace(delivery, clock=clock)
    with stopped.engine.begin() as connection:
        found = selection.find(connection, ReminderPolicy.of(stopped.rules), today)
    (batch,) = batches.cut(found, ReminderDay(today, 0, False), 25)
    results = batches.remind(batch, stopped, run_id="first", width=10, seconds=60)

    assert max(asked) == 10
    assert kinds(results).count(Kind.LEFT) >= 15
    assert len(results) == 25


def test_the_sensor_has_what_it_asks_for(own: dg.DagsterInstance, today: date) -> None:
    from leaseup_dagster.definitions import defs

    resources = {
        name: (defs.resources or {})[name] for name in ("engine", "reminder_rules", "tasks")
    }
    with dg.build_sensor_context(instance=own, resources=resources) as context:
        data = sensor.due_reminders_left.evaluate_tick(context)

    assert data.skip_message == f"No run for {today} yet"


def test_the_sensor_runs_by_default_every_half_minute() -> None:
    assert sensor.due_reminders_left.default_status is dg.DefaultSensorStatus.RUNNING
    assert sensor.due_reminders_left.minimum_interval_seconds == 30
