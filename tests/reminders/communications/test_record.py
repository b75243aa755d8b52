"""The communications record: what is kept of each text, its delivery, its export, its end."""

import csv
import io
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Connection, Engine, text

from leaseup_dagster import cli
from leaseup_dagster.reminders.communications import delivery_status, export, record
from leaseup_dagster.reminders.keys import Kind
from leaseup_dagster.sandbox.builders import a_tenant
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.twilio import FETCH, SEND, error
from leaseup_dagster.settings import ReminderSettings
from leaseup_dagster.sms.gsm7 import fingerprint
from leaseup_dagster.sms.sender import NoDelivery
from leaseup_dagster.sms.sns import SnsSender
from tests.reminders.conftest import NOON, Late, Remind, day, kinds, ledger_rows

LEDGER = "leaseup_dagster.reminder_ledger"
A_LIFE = timedelta(days=9999)


def lease_of(connection: Connection, late: Late) -> str:
    sql = 'SELECT "leaseId" FROM invoice WHERE id = :id'
    return connection.execute(text(sql), {"id": late.invoice_id}).scalar_one()


# What is kept


def test_a_text_is_recorded_with_what_it_was_made_of(
    late: Callable[..., Late], remind: Remind, connection: Connection, twilio
) -> None:
    late()

    remind(day(4))

    (row,) = ledger_rows(connection)
    assert (row.provider, row.segments, row.message_id) == ("twilio", 2, twilio.messages[0].sid)
    assert row.template_hash == fingerprint(ReminderSettings().template)
    assert row.text is None


def test_the_words_are_kept_only_when_it_is_asked_for(
    late: Callable[..., Late], remind: Remind, connection: Connection, twilio
) -> None:
    late()

    remind(day(4), keep_text=True)

    assert ledger_rows(connection)[0].text == twilio.messages[0].body


def test_a_run_keeps_the_words_of_its_template(
    run: Callable[..., dg.ExecuteInProcessResult], texting: pytest.MonkeyPatch,
    late: Callable[..., Late], connection: Connection,
) -> None:  # fmt: skip
    late()
    texting.setenv("COMMUNICATIONS_KEEP_TEXT", "true")
    config = {"as_of": day(4).isoformat(), "ignore_quiet_hours": True}

    assert run("send_late_payment_reminders", {"mark_overdue_invoices": config}).success

    (row,) = ledger_rows(connection)
    sql = text("SELECT template_hash, template FROM leaseup_dagster.reminder_template")
    found = {row.template_hash: row.template for row in connection.execute(sql)}
    assert found[row.template_hash] == ReminderSettings().template
    assert ReminderSettings().template_several in found.values()
    assert "is unpaid" in row.text


# Delivery


@pytest.mark.parametrize(
    ("status", "code", "asked_again"),
    [
        ("queued", None, True), ("sending", None, True), ("sent", None, True),
        ("delivered", None, False), ("undelivered", 30003, False), ("failed", 30006, False),
    ],
)  # fmt: skip
def test_each_delivery_status_is_kept_and_asked_for_until_it_is_the_last(
    late: Callable[..., Late], remind: Remind, connection: Connection, engine: Engine, twilio,
    delivery, status: str, code: int | None, asked_again: bool,
) -> None:  # fmt: skip
    late()
    remind(day(4))
    twilio.messages[0].status, twilio.messages[0].error_code = status, code

    answers = delivery_status.update(engine, delivery.sender, 60)
    again = delivery_status.update(engine, delivery.sender, 60)

    (row,) = ledger_rows(connection)
    assert answers.statuses == {status: 1}
    assert (row.state, row.delivery_status, row.delivery_code) == (
        "sent", status, None if code is None else str(code),
    )  # fmt: skip
    assert again.statuses.total() == asked_again
    assert row.delivery_checked_at is not None


def test_two_tenants_with_one_number_share_an_answer(
    late: Callable[..., Late], remind: Remind, connection: Connection, engine: Engine, twilio,
    delivery,
) -> None:  # fmt: skip
    made = late()
    landlord = connection.execute(text('SELECT "landlordId" FROM tenant')).scalar_one()
    other = a_tenant(connection, landlord, phone=made.number)
    connection.execute(
        text('INSERT INTO tenant_lease (id, "tenantId", "leaseId") VALUES (:id, :id, :lease)'),
        {"id": other, "lease": lease_of(connection, made)},
    )
    remind(day(4))
    twilio.messages[0].status = "delivered"

    answers = delivery_status.update(engine, delivery.sender, 60)

    assert answers.statuses == {"delivered": 1}
    assert [row.delivery_status for row in ledger_rows(connection)] == ["delivered"] * 2
    rows = record.of_lease(connection, lease_of(connection, made), NOON - A_LIFE, NOON + A_LIFE)
    assert [row.tenant_ids for row in rows] == [" ".join(sorted([made.tenant_id, other]))]


def test_a_message_that_twilio_has_not_does_not_keep_the_others_from_being_asked(
    late: Callable[..., Late], remind: Remind, engine: Engine, twilio, delivery
) -> None:
    late(), late()
    remind(day(4))
    twilio.messages[0].sid = "SM" + "f" * 32

    answers = delivery_status.update(engine, delivery.sender, 60)

    assert (answers.statuses, answers.not_asked) == ({"queued": 1}, 1)
    assert answers.why == "Twilio error 404 (20404)"


@pytest.mark.parametrize(
    "fault", [Fault.answer(error(401, 20003)), Fault.status(503), Fault.drop_before_accepting()]
)
def test_when_twilio_cannot_be_asked_it_is_asked_no_more(
    late: Callable[..., Late], remind: Remind, engine: Engine, twilio, delivery, fault: Fault,
) -> None:  # fmt: skip
    for _ in range(12):
        late()
    remind(day(4))
    twilio.faults.on(FETCH, fault, times=None)

    answers = delivery_status.update(engine, delivery.sender, 60)

    assert answers.not_asked == 12
    assert len([1 for endpoint, _ in twilio.requests if endpoint == FETCH]) <= 6


def test_old_texts_are_not_asked_about(
    late: Callable[..., Late], remind: Remind, connection: Connection, engine: Engine, delivery
) -> None:
    late()
    remind(day(4))
    connection.execute(text(f"UPDATE {LEDGER} SET attempted_at = now() - interval '8 days'"))

    assert delivery_status.update(engine, delivery.sender, 60).statuses == {}


def test_the_job_asks_twilio_and_shows_the_counts(
    run: Callable[..., dg.ExecuteInProcessResult], texting: pytest.MonkeyPatch,
    late: Callable[..., Late], remind: Remind, twilio,
) -> None:  # fmt: skip
    late()
    remind(day(4))
    twilio.messages[0].status = "delivered"

    result = run("update_delivery_status")

    (output,) = [e for e in result.all_events if e.event_type_value == "STEP_OUTPUT"]
    assert output.event_specific_data.metadata["delivered"].value == 1


def test_the_job_fails_when_twilio_cannot_be_asked(
    run: Callable[..., dg.ExecuteInProcessResult], texting: pytest.MonkeyPatch,
    late: Callable[..., Late], remind: Remind,
) -> None:  # fmt: skip
    late()
    remind(day(4))
    texting.setenv("SMS_API_SECRET", "wrong")

    assert not run("update_delivery_status").success


def test_aws_sns_has_no_delivery_status_and_says_so(
    run: Callable[..., dg.ExecuteInProcessResult], settings: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for name, value in {"SMS_ENABLED": "true", "SMS_PROVIDER": "aws-sns", "SMS_API_KEY": "AKIA",
                        "SMS_API_SECRET": "secret"}.items():  # fmt: skip
        settings.setenv(name, value)

    assert run("update_delivery_status").success
    assert "AWS SNS has no delivery status to ask for" in capsys.readouterr().err
    sns = SnsSender(region="us-east-1", key="AKIA", secret="secret", from_number="")
    assert sns.delivery_of("id") == NoDelivery("AWS SNS has no delivery status to ask for", True)


def test_without_a_provider_there_is_nobody_to_ask(
    run: Callable[..., dg.ExecuteInProcessResult],
) -> None:
    assert run("update_delivery_status").success


# Export


Command = Callable[..., list[dict[str, str]]]


@pytest.fixture
def exported(
    settings: pytest.MonkeyPatch, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> Command:
    """The rows that the command prints."""

    def run(*arguments: str) -> list[dict[str, str]]:
        settings.chdir(tmp_path)
        settings.setattr(sys, "argv", ["leaseup-dagster", "communications", *arguments])
        capsys.readouterr()
        assert cli.main() == 0
        return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))

    return run


def test_a_lease_is_exported_with_how_each_text_ended(
    exported: Command, late: Callable[..., Late], remind: Remind, connection: Connection, twilio
) -> None:
    made, refused, lost = late(), late(), late()
    twilio.refuse(refused.number, 21610)
    twilio.faults.on(SEND, Fault.drop_after_accepting(), matching=lost.number[1:])
    remind(day(4))

    (row,) = exported("--lease", lease_of(connection, made))
    ends = [exported("--lease", lease_of(connection, one))[0]["result"] for one in (refused, lost)]

    assert (row["invoice"], row["tenants"], row["step"], row["result"]) == (
        made.invoice_id, made.tenant_id, "1", "accepted",
    )  # fmt: skip
    assert (row["due date"], row["amount due"], row["currency"]) == (
        "2026-11-01", "8500.00", "ZAR",
    )  # fmt: skip
    assert len(row) < 21
    assert row["number"] == f"'+27*****{made.number[-4:]}"
    assert row["template words"] == ""  # the job keeps them
    assert row["text"] == ""
    assert ends == ["failed", "unknown"]


def test_a_landlord_is_exported_and_no_other(
    exported: Command, late: Callable[..., Late], remind: Remind, connection: Connection
) -> None:
    made = late()
    late()
    remind(day(4))
    sql = 'SELECT "landlordId" FROM invoice WHERE id = :id'
    landlord = connection.execute(text(sql), {"id": made.invoice_id}).scalar_one()

    assert [row["invoice"] for row in exported("--landlord", landlord)] == [made.invoice_id]


def test_a_period_is_in_days_of_johannesburg_both_included(
    exported: Command, late: Callable[..., Late], remind: Remind, connection: Connection
) -> None:
    made = late()
    remind(day(4))
    connection.execute(text(f"UPDATE {LEDGER} SET attempted_at = '2026-11-04 22:30Z'"))
    lease = lease_of(connection, made)

    def on(first: str, last: str) -> int:
        return len(exported("--lease", lease, "--from", first, "--to", last))

    assert on("2026-11-05", "2026-11-05") == 1
    assert on("2026-11-04", "2026-11-04") == 0
    assert on("2026-11-06", "2026-11-30") == 0


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"), ("+27*****4567", "'+27*****4567"),
        ("-1", "'-1"), ("@SUM(A1)", "'@SUM(A1)"), ("\t=1", "'\t=1"), (" =1", "' =1"),
        ("\r=1", "'\r=1"), ("plain", "plain"), (None, ""), (3, "3"), (-3, "-3"), ("", ""),
    ],
)  # fmt: skip
def test_no_cell_is_taken_for_a_formula(cell: object, said: str) -> None:
    assert export.harmless(cell) == said


def test_a_hostile_text_stays_one_harmless_cell(
    exported: Command, late: Callable[..., Late], remind: Remind, connection: Connection
) -> None:
    made = late()
    remind(day(4))
    hostile = '=HYPERLINK("http://x"),"\n+1'
    sql = f"UPDATE {LEDGER} SET text = :hostile, error = '@x', message_id = '-1', number = '=*'"
    connection.execute(text(sql), {"hostile": hostile})

    (row,) = exported("--lease", lease_of(connection, made))

    assert row["text"] == f"'{hostile}"
    assert not [cell for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lease", "nobody"], "There is no lease 'nobody' in LeaseUp"),
        (["--landlord", "nobody"], "There is no landlord 'nobody' in LeaseUp"),
        (["--lease", "TENANT"], "is the id of a tenant, not of a lease"),
        (["--lease", "LEASE", "--from", "soon"], "--from must be a date written YYYY-MM-DD"),
        (["--lease", "LEASE", "--from", "2026-02-01", "--to", "2026-01-01"], "is after --to"),
    ],
)
def test_what_cannot_be_exported_says_why(
    settings: pytest.MonkeyPatch, tmp_path: Any, capsys: pytest.CaptureFixture[str],
    late: Callable[..., Late], connection: Connection, arguments: list[str], message: str,
) -> None:  # fmt: skip
    made = late()
    names = {"TENANT": made.tenant_id, "LEASE": lease_of(connection, made)}
    given = [names.get(argument, argument) for argument in arguments]
    settings.chdir(tmp_path)
    settings.setattr(sys, "argv", ["leaseup-dagster", "communications", *given])

    assert cli.main() == 2
    assert message in capsys.readouterr().err


def test_no_texts_are_said_to_be_none(
    settings: pytest.MonkeyPatch, tmp_path: Any, capsys: pytest.CaptureFixture[str],
    late: Callable[..., Late], connection: Connection,
) -> None:  # fmt: skip
    lease_id = lease_of(connection, late())
    settings.chdir(tmp_path)
    settings.setattr(sys, "argv", ["leaseup-dagster", "communications", "--lease", lease_id])

    assert cli.main() == 0

    said = capsys.readouterr()
    assert said.err == "0 texts\n"
    assert said.out.splitlines() == [",".join(export.COLUMNS)]


# Retention


def test_old_texts_about_settled_invoices_are_forgotten_and_their_history_stays(
    run: Callable[..., dg.ExecuteInProcessResult], late: Callable[..., Late], remind: Remind,
    connection: Connection,
) -> None:  # fmt: skip
    paid, young = late(), late()
    remind(day(4), keep_text=True)
    connection.execute(text("UPDATE invoice SET status = 'PAID'"))
    old = f"UPDATE {LEDGER} SET attempted_at = now() - interval '1096 days' WHERE invoice_id = :id"
    connection.execute(text(old), {"id": paid.invoice_id})

    assert run("forget_old_communications").success

    assert [row.invoice_id for row in ledger_rows(connection)] == [young.invoice_id]
    history = text(
        "SELECT to_state FROM leaseup_dagster.reminder_history WHERE invoice_id = :id ORDER BY id"
    )
    states = connection.execute(history, {"id": paid.invoice_id}).scalars().all()
    assert states == ["sending", "sent", "deleted"]


def test_an_old_text_about_an_open_invoice_loses_what_is_personal_and_is_not_sent_again(
    late: Callable[..., Late], remind: Remind, connection: Connection, engine: Engine
) -> None:
    late()
    remind(day(4), keep_text=True)
    connection.execute(text(f"UPDATE {LEDGER} SET attempted_at = now() - interval '31 days'"))

    for _ in range(2):
        with engine.begin() as inside:
            record.forget(inside, timedelta(days=30))

    (row,) = ledger_rows(connection)
    assert (row.number, row.number_hash, row.text_hash, row.text) == ("*", "", "", None)
    assert (row.state, row.message_id) == ("sent", None)
    assert remind(day(5)) == []
    assert kinds(remind(day(11))) == [Kind.TEXTED]


def test_the_retention_is_a_setting(
    run: Callable[..., dg.ExecuteInProcessResult], settings: pytest.MonkeyPatch,
    late: Callable[..., Late], remind: Remind, connection: Connection,
) -> None:  # fmt: skip
    late()
    remind(day(4))
    connection.execute(text("UPDATE invoice SET status = 'CANCELLED'"))
    connection.execute(text(f"UPDATE {LEDGER} SET attempted_at = now() - interval '40 days'"))

    run("forget_old_communications")
    kept = len(ledger_rows(connection))
    settings.setenv("COMMUNICATIONS_RETENTION_DAYS", "30")
    run("forget_old_communications")

    assert (kept, ledger_rows(connection)) == (1, [])
    settings.setenv("COMMUNICATIONS_RETENTION_DAYS", "3")
    assert not run("forget_old_communications").success
