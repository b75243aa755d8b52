"""Nobody's data and no secret are kept outside the database; live keys never meet the sandbox.

Every job runs for people whose names, addresses and numbers occur nowhere else, with secrets that
occur nowhere else, also where providers and database quote them back. Then everything that
Dagster has kept, and everything that was printed, is searched.
"""

import sqlite3
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Connection, make_url, text

from leaseup_dagster.database.mode import remember_mode
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.paystack.errors import NotProcessed
from leaseup_dagster.retries import waiting_at_most
from leaseup_dagster.sandbox.builders import a_landlord, a_lease, a_tenant, a_unit, an_invoice
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.sandbox.smtp import Answers, SmtpStandIn, smtp_stand_in
from leaseup_dagster.sandbox.twilio import ACCOUNT, TwilioStandIn
from leaseup_dagster.settings import PaystackSettings, SettingsError, load
from tests.faults.dagster_jobs import reconstructable_job, run_config
from tests.faults.scenarios.landlords import begin_landlord_emails
from tests.sms.test_twilio import untrusted_url  # noqa: F401 - a fixture

KEY, SMS_SECRET, PASSWORD = "sk_test_canarysecret01", "canarysecret02", "canarysecret03"
NUMBERS = ("0821110001", "0821110002", "0821110003")
PRIVATE = (
    "canarysecret", "Canaryfirst", "Canarylast", "canarymail", "Canaryowner",
    *(number[1:] for number in NUMBERS), "111 000", "is unpaid", "Ignore if paid",
)  # fmt: skip
DAY = date(2026, 11, 24)
AS_OF = {"as_of": DAY.isoformat()}


class NoQuota:
    """One question needs no slot."""

    def reserve(self, endpoint: str) -> float:
        return 0

    def learn(self, endpoint: str, requests_per_minute: int) -> None: ...

    def pause(self, endpoint: str, seconds: float) -> None: ...

    def give_back(self, endpoint: str) -> None: ...


def jobs(lease: str, invoice: str) -> dict[str, dict[str, dict[str, Any]]]:
    """Every job of the product and its config."""
    return {
        "preview_upcoming_invoices": {"preview_invoices": AS_OF},
        "create_paystack_customers": {},
        "check_upcoming_invoices": {"plan_invoices": AS_OF},
        "create_invoice": {"plan_one_invoice": AS_OF | {"lease_id": lease}},
        "preview_late_payment_reminders": {"preview_reminders": AS_OF},
        "send_late_payment_reminders": {
            "mark_overdue_invoices": AS_OF | {"ignore_quiet_hours": True}
        },
        "report_arrears": {"add_up_arrears": AS_OF},
        "tell_landlords": {"begin_telling": AS_OF},
        "preview_landlord_emails": {"preview_landlord_news": AS_OF},
        "update_delivery_status": {},
        "reconcile_payment_requests": {},
        "audit_books": {},
        "decide_payment": {
            "decide": {"invoice_id": invoice, "decision": "leave", "reason": "a statement"}
        },
        "explain_lease": {"explain_one_lease": AS_OF | {"lease_id": lease, "ask_paystack": True}},
        "cancel_invoice": {
            "choose_invoices_to_cancel": {
                "invoice_ids": [invoice], "reason": "a mistake", "confirm": True
            }
        },
        "forget_old_communications": {},
        "forget_old_runs": {},
        "send_daily_digest": {},
    }  # fmt: skip


@pytest.fixture
def twilio() -> Iterator[TwilioStandIn]:
    with TwilioStandIn() as stand_in:
        stand_in.keys = {ACCOUNT: SMS_SECRET}
        yield stand_in


@pytest.fixture
def mail_server() -> Iterator[SmtpStandIn]:
    """It refuses, and says of whom it speaks."""
    with smtp_stand_in() as stand_in:
        stand_in.answers = Answers(rcpt="550 <canarymail0@example.com> is not welcome")
        yield stand_in


@pytest.fixture
def secrets(
    settings: pytest.MonkeyPatch, paystack: PaystackStandIn, twilio: TwilioStandIn,
    mail_server: SmtpStandIn, database_url: str,
) -> pytest.MonkeyPatch:  # fmt: skip
    paystack.habits.keys = {KEY}
    url = make_url(database_url).set(password=PASSWORD).render_as_string(hide_password=False)
    for name, value in {
        "DATABASE_URL": url,
        "PAYSTACK_SECRET_KEY": KEY,
        "SMS_ENABLED": "true",
        "SMS_PROVIDER": "twilio",
        "SMS_API_KEY": ACCOUNT,
        "SMS_API_SECRET": SMS_SECRET,
        "SMS_FROM_NUMBER": "LeaseUp",
        "TWILIO_BASE_URL": twilio.url,
        "LANDLORD_EMAILS_ENABLED": "true",
        "SMTP_URL": mail_server.url(),
        "EMAIL_FROM": "rent@example.com",
        "TASK_MAX_DURATION_SECONDS": "30",
        "ALERT_SMS_NUMBERS": NUMBERS[1],
        "ALERT_URLS": "json://canarysecret08:canarysecret09@127.0.0.1:9/canarysecret10",
    }.items():
        settings.setenv(name, value)
    return settings


@pytest.fixture
def people(connection: Connection, paystack: PaystackStandIn) -> tuple[str, str]:
    """Tenants with something due and something late; a lease and a late invoice of one."""
    landlord = a_landlord(
        connection, name="Canaryowner", businessName="Canaryowner Homes",
        email="canarymail0@example.com",
    )  # fmt: skip
    begin_landlord_emails(connection)
    made = []
    for number, phone in enumerate(NUMBERS, start=1):
        email = "canarymail without at" if number == 3 else f"canarymail{number}@example.com"
        tenant = a_tenant(
            connection, landlord, firstName="Canaryfirst", lastName="Canarylast", email=email,
            phone=phone,
        )  # fmt: skip
        lease = a_lease(
            connection, start=date(2026, 1, 1), landlord=landlord, tenants=[tenant],
            unit=a_unit(connection, landlord),
        )  # fmt: skip
        made.append((lease, an_invoice(connection, lease, date(2026, 11, 1), paystackId="")))
    return made[0]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """Dagster's storage on disk, with all that any library logs at INFO in the event log."""
    logs = {"managed_python_loggers": ["root"], "python_log_level": "INFO"}
    overrides = {"python_logs": logs, "telemetry": {"enabled": False}}
    with (
        dg.instance_for_test(temp_dir=str(tmp_path), overrides=overrides) as instance,
        waiting_at_most(0),
    ):
        yield instance


Launch = Callable[[str, dict[str, dict[str, Any]]], bool]


@pytest.fixture
def launch(secrets: pytest.MonkeyPatch, kept: dg.DagsterInstance) -> Launch:
    def execute(job: str, ops: dict[str, dict[str, Any]]) -> bool:
        return dg.execute_job(reconstructable_job(job), kept, run_config=run_config(ops)).success

    return execute


def quote_them(paystack: PaystackStandIn, twilio: TwilioStandIn) -> None:
    """The providers refuse, and say of whom they speak."""
    said = f"<canarymail1@example.com>, +27821110001 (082 111 0001), is not welcome with {KEY}"
    for endpoint in ("POST /paymentrequest", "GET /customer/:code"):
        paystack.faults.on(endpoint, Fault.refuse(400, said, "canarymail1@example.com"))
    # Names are sent with a customer and with nothing else.
    paystack.faults.on("POST /customer", Fault.refuse(400, f"Canaryfirst Canarylast {said}"))
    twilio.refuse("+27821110002", 21211)
    twilio.faults.on("POST /Messages.json", Fault.drop_after_accepting())


def let_the_database_quote_them(connection: Connection) -> None:
    """PostgreSQL quotes the row in its error."""
    for rule in (
        'tenant ADD CHECK ("paystackCustomerId" IS NULL)',
        "invoice ADD CHECK (\"paystackId\" = '')",
    ):
        connection.execute(text(f"ALTER TABLE {rule} NOT VALID"))


def everything_in(folder: Path) -> Iterator[tuple[str, str]]:
    """The text of every file, databases read row by row."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        raw = path.read_bytes()
        if raw.startswith(b"SQLite format 3"):
            with sqlite3.connect(path) as database:
                yield str(path), "\n".join(database.iterdump())
        else:
            yield str(path), raw.decode("utf-8", "replace")


def assert_nothing_private(
    folder: Path, captured: pytest.CaptureFixture[str], instance: dg.DagsterInstance
) -> None:
    kept = dict(everything_in(folder))
    out, err = captured.readouterr()
    kept |= {"standard output": out, "standard error": err}
    runs = instance.get_runs()
    assert any(runs[0].run_id in said for said in kept.values()), "nothing was searched"
    found = {
        (private, where) for where, said in kept.items() for private in PRIVATE if private in said
    }
    assert found == set()


@pytest.mark.parametrize("quoting", ["providers", "database"])
def test_no_job_keeps_or_prints_what_is_private(
    launch: Launch, people: tuple[str, str], paystack: PaystackStandIn, twilio: TwilioStandIn,
    connection: Connection, kept: dg.DagsterInstance, tmp_path: Path,
    capfd: pytest.CaptureFixture[str], quoting: str,
) -> None:  # fmt: skip
    if quoting == "providers":
        quote_them(paystack, twilio)
    else:
        let_the_database_quote_them(connection)

    outcomes = {job: launch(job, ops) for job, ops in jobs(*people).items()}

    assert not outcomes["create_paystack_customers"]
    refused = text("SELECT state FROM leaseup_dagster.landlord_email")
    assert list(connection.execute(refused).scalars()) == ["refused"]
    assert_nothing_private(tmp_path, capfd, kept)


def test_every_job_is_among_those_that_were_searched() -> None:
    from leaseup_dagster.definitions import defs

    names = {job.name for job in defs.resolve_all_job_defs()} - {"__ASSET_JOB"}
    assert names == set(jobs("", ""))


@pytest.mark.parametrize(
    ("variable", "wrong"),
    [
        ("DATABASE_URL", f"mysql://root:{PASSWORD}@localhost/leaseup"),
        ("DATABASE_URL", f"postgresql://root:{PASSWORD}@127.0.0.1:9/leaseup"),
        ("DATABASE_URL", f"postgresql://root:{PASSWORD}@[/leaseup"),
        ("PAYSTACK_SECRET_KEY", "canarysecret04"),
        ("PAYSTACK_SECRET_KEY", "sk_test_canarysecret05"),
        ("SMS_API_KEY", "canarysecret06"),
        ("SMS_API_SECRET", "canarysecret07"),
        ("ALERT_URLS", "canarysecret11://canarysecret12"),
        ("ALERT_SMS_NUMBERS", "0821110003 or 0821110002"),
    ],
)
def test_a_wrong_secret_is_not_kept_either(
    launch: Launch, secrets: pytest.MonkeyPatch, people: tuple[str, str], tmp_path: Path,
    capfd: pytest.CaptureFixture[str], kept: dg.DagsterInstance, variable: str, wrong: str,
) -> None:  # fmt: skip
    secrets.setenv(variable, wrong)
    job = "send_late_payment_reminders" if "SMS" in variable else "check_upcoming_invoices"
    job = "send_daily_digest" if "ALERT" in variable else job

    launch(job, jobs(*people)[job])

    assert_nothing_private(tmp_path, capfd, kept)


def test_a_certificate_that_nobody_trusts_is_given_no_key(untrusted_url: str) -> None:  # noqa: F811
    with PaystackClient(
        secret_key=KEY, base_url=untrusted_url, quota=NoQuota(), timeout_seconds=5, connections=1
    ) as client, pytest.raises(NotProcessed, match="could not connect"):  # fmt: skip
        client.fetch_customer("CUS_x")


@pytest.mark.parametrize(
    "base_url",
    ["http://127.0.0.1:8811", "https://127.0.0.1", "https://localhost:8811", "https://[::1]:8811",
     "http://api.paystack.co", "https://0.0.0.0", "http://paystack.localhost"],
)  # fmt: skip
def test_a_live_key_is_not_given_to_a_stand_in(
    monkeypatch: pytest.MonkeyPatch, base_url: str
) -> None:
    monkeypatch.setenv("PAYSTACK_SECRET_KEY", "sk_live_x")
    monkeypatch.setenv("PAYSTACK_BASE_URL", base_url)

    with pytest.raises(SettingsError, match=r"PAYSTACK_BASE_URL: .* PAYSTACK_SECRET_KEY is a live"):
        load(PaystackSettings)

    monkeypatch.setenv("PAYSTACK_SECRET_KEY", "sk_test_x")
    assert load(PaystackSettings).base_url == base_url


def test_a_live_key_is_taken_for_paystack_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYSTACK_SECRET_KEY", "sk_live_x")

    assert load(PaystackSettings).live


def test_a_live_key_does_not_fit_a_database_of_the_sandbox(engine: Any) -> None:
    """The sandbox marks its database when it makes it, before any run."""
    remember_mode(engine, "test")

    with pytest.raises(SettingsError, match=r"^PAYSTACK_SECRET_KEY: is a live key, but"):
        remember_mode(engine, "live")
