"""Each failed run is alerted once, over every channel that there is; nothing private goes along."""

from datetime import datetime, timezone

import dagster as dg
import pytest

from leaseup_dagster.operations.channels import channels
from leaseup_dagster.operations.jobs import evaluate_missed_morning
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.twilio import SEND, TwilioStandIn
from leaseup_dagster.settings import AlertSettings, load
from tests.conftest import Run
from tests.operations.conftest import PHONE, Failed, Inbox

WRONG = {"choose_invoices_to_cancel": {"invoice_ids": ["nobody's"], "reason": "x", "confirm": True}}
BY_A_SCHEDULE = {"dagster/schedule_name": "some_schedule"}


@pytest.fixture
def failed(run: Run, operators: pytest.MonkeyPatch) -> dg.ExecuteInProcessResult:
    result = run("cancel_invoice", WRONG, BY_A_SCHEDULE)
    assert not result.success
    return result


def test_every_channel_gets_job_run_reason_and_link(
    failed: dg.ExecuteInProcessResult, told_of_failure: Failed, instance: dg.DagsterInstance,
    twilio: TwilioStandIn, inbox: Inbox,
) -> None:  # fmt: skip
    told_of_failure(failed, instance)

    (text,), (message,) = twilio.texts_to(PHONE), inbox.messages
    for said in (text, f"{message['title']} {message['message']}"):
        assert "cancel_invoice failed" in said
        assert "nobody's" in said
        assert f"https://dagster.example.com/runs/{failed.run_id}" in said


def test_a_setting_that_is_wrong_is_named(
    run: Run, operators: pytest.MonkeyPatch, told_of_failure: Failed, instance: dg.DagsterInstance,
    inbox: Inbox,
) -> None:  # fmt: skip
    operators.delenv("DATABASE_URL")

    told_of_failure(run("check_upcoming_invoices"), instance)

    assert "DATABASE_URL environment variable is required" in inbox.messages[0]["message"]


def test_a_run_that_dagster_starts_again_is_not_told(
    failed: dg.ExecuteInProcessResult, told_of_failure: Failed, instance: dg.DagsterInstance,
    twilio: TwilioStandIn, inbox: Inbox,
) -> None:  # fmt: skip
    instance.add_run_tags(failed.run_id, {"dagster/will_retry": "true"})

    told_of_failure(failed, instance)

    assert twilio.texts_to(PHONE) == []
    assert inbox.messages == []


def test_a_channel_that_fails_stops_no_other(
    failed: dg.ExecuteInProcessResult, told_of_failure: Failed, instance: dg.DagsterInstance,
    twilio: TwilioStandIn, inbox: Inbox,
) -> None:  # fmt: skip
    twilio.refuse(PHONE, 21211)

    told_of_failure(failed, instance)

    assert len(inbox.messages) == 1


def test_what_did_not_get_through_is_tried_once_more(
    failed: dg.ExecuteInProcessResult, told_of_failure: Failed, instance: dg.DagsterInstance,
    twilio: TwilioStandIn,
) -> None:  # fmt: skip
    twilio.faults.on(SEND, Fault.status(503))

    told_of_failure(failed, instance)

    assert len(twilio.texts_to(PHONE)) == 1


def test_when_nobody_could_be_told_the_tick_fails(
    failed: dg.ExecuteInProcessResult, told_of_failure: Failed, instance: dg.DagsterInstance,
    twilio: TwilioStandIn, inbox: Inbox,
) -> None:  # fmt: skip
    twilio.refuse(PHONE, 21211)
    inbox.status = 500

    with pytest.raises(Exception, match=r"sensor|could be alerted"):
        told_of_failure(failed, instance)


def test_without_operators_the_failure_stays_in_the_ui(
    failed: dg.ExecuteInProcessResult, told_of_failure: Failed, instance: dg.DagsterInstance,
    operators: pytest.MonkeyPatch, twilio: TwilioStandIn, inbox: Inbox,
) -> None:  # fmt: skip
    operators.delenv("ALERT_SMS_NUMBERS")
    operators.delenv("ALERT_URLS")

    told_of_failure(failed, instance)

    assert twilio.texts_to(PHONE) == []
    assert inbox.messages == []


def test_what_a_sensor_launches_again_and_again_is_told_of_once(
    run: Run, operators: pytest.MonkeyPatch, told_of_failure: Failed, instance: dg.DagsterInstance,
    inbox: Inbox,
) -> None:  # fmt: skip
    for _ in range(3):
        result = run("cancel_invoice", WRONG)
        instance.add_run_tags(result.run_id, {"dagster/sensor_name": "some_sensor"})
        told_of_failure(result, instance)

    assert len(inbox.messages) == 1


def test_what_could_not_be_told_is_told_later(
    failed: dg.ExecuteInProcessResult, told_of_failure: Failed, instance: dg.DagsterInstance,
    twilio: TwilioStandIn, inbox: Inbox,
) -> None:  # fmt: skip
    twilio.faults.on(SEND, Fault.status(503), times=2)
    inbox.status = 500
    with pytest.raises(dg.Failure):
        told_of_failure(failed, instance)
    inbox.messages.clear()
    inbox.status = 200

    for _ in range(2):
        context = dg.build_sensor_context(instance=instance)
        evaluate_missed_morning(context, datetime.now(tz=timezone.utc))

    assert [failed.run_id in message["message"] for message in inbox.messages] == [True]


WRONG_SETTINGS = [
    ("ALERT_SMS_NUMBERS", "+27821234567, 12", "ALERT_SMS_NUMBERS: number 2: not a phone"),
    ("ALERT_URLS", "canary://nobody", "ALERT_URLS: Apprise does not know address 1"),
    ("SMS_API_SECRET", "", "ALERT_SMS_NUMBERS: SMS configuration missing: SMS_API_SECRET"),
]


@pytest.mark.parametrize(("variable", "value", "said"), WRONG_SETTINGS)
def test_a_wrong_setting_is_named_and_never_quoted(
    operators: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    operators.setenv(variable, value)

    (wrong,) = [channel.wrong for channel in channels(load(AlertSettings)) if channel.wrong]

    assert wrong.startswith(said)
    assert "canary" not in wrong
    assert "82123" not in wrong


@pytest.mark.parametrize(("variable", "value", "said"), WRONG_SETTINGS)
def test_a_wrong_setting_silences_no_other_channel(
    failed: dg.ExecuteInProcessResult, told_of_failure: Failed, instance: dg.DagsterInstance,
    operators: pytest.MonkeyPatch, twilio: TwilioStandIn, inbox: Inbox, variable: str, value: str,
    said: str,
) -> None:  # fmt: skip
    operators.setenv(variable, value)

    told_of_failure(failed, instance)

    assert len(inbox.messages) + len(twilio.texts_to(PHONE)) >= 1
