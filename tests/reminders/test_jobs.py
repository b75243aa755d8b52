"""The jobs as a person launches them: what they do, what they show, when they fail."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest
from moto.server import ThreadedMotoServer
from sqlalchemy import text

from leaseup_dagster.reminders.jobs import reminders_at_nine
from leaseup_dagster.sandbox.builders import a_tenant, insert
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.twilio import SEND, error
from tests.reminders.conftest import Late, day, ledger_rows, status

ALL_DAY = "00:00-23:59:59.999999"
Run = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def send(run: Run) -> Callable[..., dg.ExecuteInProcessResult]:
    """The 09:00 job, whatever the hour is."""

    def execute(overdue_by: int = 4, *, ignore_quiet_hours: bool = True):
        config = {"as_of": day(overdue_by).isoformat(), "ignore_quiet_hours": ignore_quiet_hours}
        return run("send_late_payment_reminders", {"mark_overdue_invoices": config})

    return execute


def report_of(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    (event,) = [e for e in result.all_events if e.event_type_value == "ASSET_MATERIALIZATION"]
    materialization = event.step_materialization_data.materialization
    assert materialization.asset_key == dg.AssetKey("reminders")
    return {name: value.value for name, value in materialization.metadata.items()}


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    said = []
    for event in result.all_events:
        problem = getattr(event.event_specific_data, "error", None) if event.is_failure else None
        while problem:
            said.append(problem.message)
            problem = problem.cause
    return "\n".join(said)


def logged(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> str:
    """Everything that is kept of a run: messages, metadata, errors."""
    return "\n".join(map(str, instance.all_logs(result.run_id)))


def test_late_tenants_are_texted_and_everything_is_reported(
    texting, send, late, paystack, twilio, connection, instance
) -> None:
    made: Late = late(status="PENDING")
    paid: Late = late(status="PENDING")
    paystack.pay(paid.request_code)
    late(phone="011 555 1234")

    result = send()

    assert result.success
    assert [m.to for m in twilio.messages] == [made.number]
    assert status(connection, made.invoice_id) == "OVERDUE"
    report = report_of(result)
    numbers = {n: v for n, v in report.items() if isinstance(v, int | float)}
    assert list(numbers.items()) == [
        ("late invoices", 3), ("late rands", 25500.0), ("tenants not texted", 1),
        ("tenants texted", 1),
    ]  # fmt: skip
    assert sorted(numbers) == list(numbers)  # the order in which Dagster plots them
    assert report["marked overdue"] == "2"
    assert report["report"].startswith(
        "Reminders as of 2026-11-05: 3 invoices are more than 3 days late, R25 500.00 (R17 000.00"
        " still owed): 1 texted about, 1 paid meanwhile, 1 without a mobile number. 1 text"
        " to 1 tenant; 1 tenant not texted: 1 no mobile number."
    )
    said = logged(instance, result)
    for phrase in (
        "Starting late payment reminders check as_of=2026-11-05",
        "Found 3 invoices overdue by more than 3 days",
        f"SMS notification sent invoice_id={made.invoice_id} tenant_ids={made.tenant_id} step=1",
        f"Paid meanwhile, not texted invoice_id={paid.invoice_id}",
    ):
        assert phrase in said


def test_the_report_is_a_table_to_chase_from(
    texting, send, late, another, paystack, twilio, connection
) -> None:
    texted, refused, paid, landline = late(), late(), late(), late(phone="011 555 1234")
    older = another(texted, day(-31))
    twilio.refuse(refused.number, 21211)
    paystack.pay(paid.request_code)

    report = report_of(send())

    *rows, total = [record.data for record in report["late tenants"].records]
    assert rows[0]["invoice"] == older
    by_invoice = {row["invoice"]: row for row in rows}
    sql = 'SELECT "leaseId", "landlordId" FROM invoice WHERE id = :id'
    for made in (texted, refused, paid, landline):
        row = by_invoice[made.invoice_id]
        lease, landlord = connection.execute(text(sql), {"id": made.invoice_id}).one()
        assert (row["due date"], row["days late"], row["lease"], row["landlord"]) == (
            "2026-11-01", 4, lease, landlord,
        )  # fmt: skip
        assert row["tenant"] == made.tenant_id
    ids = [older, *(one.invoice_id for one in (texted, refused, paid, landline))]
    found = [(by_invoice[one]["amount owed"], by_invoice[one]["outcome"]) for one in ids]
    assert found == [
        ("R8 500.00", "texted"), ("R8 500.00", "texted"), ("R8 500.00", "number refused"),
        ("R0.00", "paid meanwhile"), ("R8 500.00", "no mobile number"),
    ]  # fmt: skip
    assert (total["due date"], total["amount owed"]) == ("total, each invoice once", "R34 000.00")
    assert "Correct the tenant's phone number" in by_invoice[landline.invoice_id]["why"]
    assert "invoice_id=" not in report["report"]


def test_who_waits_and_who_had_the_last_reminder_is_in_the_table(texting, send, late) -> None:
    texting.setenv("REMINDER_MAX", "2")
    made = late()

    send()
    waiting, send_again = report_of(send(5)), send(11)
    finished = report_of(send(18))

    assert send_again.success
    rows = [report["late tenants"].records[0].data for report in (waiting, finished)]
    assert [(row["tenant"], row["outcome"]) for row in rows] == [
        (made.tenant_id, "waiting"), (made.tenant_id, "had the last reminder"),
    ]  # fmt: skip
    assert (
        "1 invoice is more than 3 days late, R8 500.00: 1 waiting for their next reminder."
        in waiting["report"]
    )
    assert "a person should ask" in rows[1]["why"]


def test_two_who_share_a_lease_are_two_rows_and_one_invoice(
    texting, send, late, connection
) -> None:
    made = late()
    sql = 'SELECT "leaseId", "landlordId" FROM invoice WHERE id = :id'
    lease, landlord = connection.execute(text(sql), {"id": made.invoice_id}).one()
    other = a_tenant(connection, landlord, phone="0821234567")
    insert(connection, "tenant_lease", tenantId=other, leaseId=lease)

    report = report_of(send())

    *rows, total = [record.data for record in report["late tenants"].records]
    assert {row["tenant"] for row in rows} == {made.tenant_id, other}
    assert total["amount owed"] == "R8 500.00"
    assert (
        "1 invoice is more than 3 days late, R8 500.00: 1 texted about. 2 texts to 2 tenants."
        in (report["report"])
    )


def test_nobodys_data_is_kept_with_a_run(texting, send, late, twilio, connection, instance) -> None:
    made: Late = late(tenant={"firstName": "Lerato", "lastName": "Nkosi", "email": "l@example.com"})
    refused: Late = late()
    twilio.refuse(refused.number, 21211)

    said = logged(instance, send())

    assert "Failed to send SMS notification" in said
    for private in (made.number[3:], refused.number[3:], "Lerato", "Nkosi", "l@example.com",
                    "is unpaid", "hush"):  # fmt: skip
        assert private not in said


def test_a_second_run_texts_nobody(texting, send, late, twilio) -> None:
    for _ in range(3):
        late()

    first, second = send(), send()

    assert first.success
    assert second.success
    assert len(twilio.messages) == 3
    assert report_of(second)["waiting for the next step"] == "3"


def test_only_what_was_not_sent_is_tried_again_in_the_run(
    texting, send, late, twilio, instance
) -> None:
    made = [late() for _ in range(5)]
    busy = Fault.answer(error(429, 20429))
    twilio.faults.on(SEND, busy, times=2, matching=made[2].number[1:])

    result = send()

    assert result.success
    assert sorted(m.to for m in twilio.messages) == sorted(one.number for one in made)
    assert len(twilio.requests_to(SEND)) == 7
    assert report_of(result)["tenants texted"] == 5


def test_a_number_that_is_refused_does_not_fail_the_run(texting, send, late, twilio) -> None:
    twilio.refuse(late().number, 21610)

    result = send()

    assert result.success
    assert report_of(result)["tenants not texted"] == 1


def test_an_account_problem_fails_the_run_and_names_the_setting(
    texting, send, late, twilio
) -> None:
    for _ in range(25):
        late()
    texting.setenv("SMS_API_SECRET", "hush")

    result = send()

    assert not result.success
    assert "Twilio error 401 (20003): check SMS_API_KEY, SMS_API_SECRET" in failure_of(result)
    assert len(twilio.requests_to(SEND)) <= 3
    texting.setenv("SMS_API_SECRET", twilio.keys[next(iter(twilio.keys))])
    assert report_of(send(5))["tenants texted"] == 25


def test_an_outage_stops_the_whole_run(texting, send, late, twilio) -> None:
    for _ in range(25):
        late()
    twilio.faults.on(SEND, Fault.answer(error(500, 20500)), times=None)

    result = send()

    assert not result.success
    assert "3 texts in a row had no answer" in failure_of(result)
    assert len(twilio.requests_to(SEND)) == 3


def test_paystack_unreachable_fails_the_run_and_texts_nobody(
    texting, send, late, paystack, twilio
) -> None:
    late()
    paystack.stop()

    result = send()

    assert not result.success
    assert "(Paystack unreachable)" in failure_of(result)
    assert twilio.messages == []
    paystack.start()
    assert send(5).success
    assert len(twilio.messages) == 1


def test_a_missing_setting_stops_the_run_before_anything_is_written(
    texting, send, late, connection
) -> None:
    made: Late = late(status="PENDING")
    texting.delenv("SMS_API_SECRET")
    texting.delenv("SMS_FROM_NUMBER")

    result = send()

    assert not result.success
    assert "SMS configuration missing: SMS_API_SECRET, SMS_FROM_NUMBER" in failure_of(result)
    assert status(connection, made.invoice_id) == "PENDING"


def test_switched_off_the_run_plans_marks_and_asks_and_texts_nobody(
    settings, send, late, paystack, connection, instance
) -> None:
    made: Late = late(status="PENDING")
    paid: Late = late()
    paystack.pay(paid.request_code)

    result = send()

    assert result.success
    assert report_of(result)["planned"] == "1"
    assert "planned, not sent (SMS_ENABLED is false)" in logged(instance, result)
    assert status(connection, made.invoice_id) == "OVERDUE"
    assert status(connection, paid.invoice_id) == "PAID"
    assert ledger_rows(connection) == []


def test_at_night_the_run_texts_nobody_unless_it_is_told_to(texting, send, late, twilio) -> None:
    late()
    texting.setenv("REMINDER_QUIET_HOURS", ALL_DAY)

    assert send(ignore_quiet_hours=False).success
    assert twilio.messages == []
    assert send(ignore_quiet_hours=True).success
    assert len(twilio.messages) == 1


def test_the_preview_shows_everything_writes_nothing_and_calls_nobody(
    texting, run, late, paystack, twilio, connection, instance
) -> None:
    made: Late = late(status="PENDING")
    landline: Late = late(phone="n/a")
    config = {"preview_reminders": {"as_of": day(4).isoformat()}}

    result = run("preview_late_payment_reminders", config)

    assert result.success
    (event,) = [e for e in result.all_events if e.event_type_value == "STEP_OUTPUT"]
    shown = {name: value.value for name, value in event.event_specific_data.metadata.items()}
    (row,) = [record.data for record in shown["would text"].records]
    assert row["invoice"] == made.invoice_id
    assert row["number"] == f"+27*****{made.number[-4:]}"
    assert [record.data["outcome"] for record in shown["would skip"].records] == [
        "no mobile number"
    ]
    said = logged(instance, result)
    assert (
        f"Would text {made.tenant_id} ({row['number']}) about {made.invoice_id}, R8 500.00" in said
    )
    assert f"Would skip {landline.tenant_id} about {landline.invoice_id}, R8 500.00, 4 days" in said
    assert status(connection, made.invoice_id) == "PENDING"
    assert paystack.requests == twilio.requests == ledger_rows(connection) == []


def test_the_schedule_hands_over_its_own_day() -> None:
    """At 00:30 in Johannesburg a server in UTC is still in yesterday."""
    tick = datetime(2026, 11, 5, 22, 30, tzinfo=timezone.utc)
    request = reminders_at_nine(dg.build_schedule_context(scheduled_execution_time=tick))

    assert request.run_config["ops"]["mark_overdue_invoices"]["config"] == {"as_of": "2026-11-06"}
    assert reminders_at_nine.cron_schedule == "0 9 * * *"
    assert reminders_at_nine.execution_timezone == "Africa/Johannesburg"


def test_a_day_that_is_none_is_refused(texting, run) -> None:
    config = {"mark_overdue_invoices": {"as_of": "5 Nov"}}

    result = run("send_late_payment_reminders", config)

    assert not result.success
    assert "as_of must be a date written YYYY-MM-DD, not '5 Nov'" in failure_of(result)


def test_texts_go_out_through_sns_too(texting, send, late, connection) -> None:
    made: Late = late()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    texting.setenv("AWS_ENDPOINT_URL_SNS", f"http://{host}:{port}")
    texting.setenv("SMS_PROVIDER", "aws-sns")
    texting.delenv("SMS_FROM_NUMBER")

    result = send()

    stored = httpx.get(f"http://{host}:{port}/moto-api/data.json").json()["sns"]["SMS"]
    httpx.post(f"http://{host}:{port}/moto-api/reset")
    server.stop()
    assert result.success
    assert [message["phone_number"] for message in stored] == [made.number]
    assert [row.message_id for row in ledger_rows(connection)] == [stored[0]["message_id"]]


def test_a_poisonous_name_is_only_a_name(texting, send, late, twilio) -> None:
    late(tenant={"firstName": "{0.__class__} %s 🎉"})

    assert send().success
    assert "Hi {0.__class__} %s," in twilio.messages[0].body


def test_the_landlords_business_signs(texting, send, late, twilio, connection) -> None:
    connection.execute(text("""UPDATE "user" SET "businessName" = 'Zoë’s Homes'"""))
    late()
    connection.execute(text("""UPDATE "user" SET "businessName" = 'Zoë’s Homes'"""))

    send()

    assert twilio.messages[0].body.startswith("Zoe's Homes: Hi Thabo, rent of R8 500.00 for")


def test_the_command_line_needs_the_environment_and_nothing_else(
    texting, late, twilio, tmp_path: Path
) -> None:
    made: Late = late()
    config = tmp_path / "run.yaml"
    config.write_text(
        "ops: {mark_overdue_invoices: {config:"
        f" {{as_of: '{day(4)}', ignore_quiet_hours: true}}}}}}"
    )
    command = [
        sys.executable, "-m", "dagster", "job", "execute", "-m", "leaseup_dagster.definitions",
        "-j", "send_late_payment_reminders", "-c", str(config),
    ]  # fmt: skip

    done = subprocess.run(
        command, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr[-2000:]
    assert [m.to for m in twilio.messages] == [made.number]
    assert made.number[3:] not in done.stderr + done.stdout
