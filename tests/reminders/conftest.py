"""A ladder of reminder fixtures: a late invoice, a Twilio, the protocol, a run without Dagster."""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from leaseup_dagster.as_of import JOHANNESBURG
from leaseup_dagster.database.quota import SharedQuota
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.reminders.keys import Kind, ReminderDay, ReminderResult
from leaseup_dagster.reminders.overdue import queries, selection
from leaseup_dagster.reminders.rules.policy import ReminderPolicy
from leaseup_dagster.reminders.sending import batches, unanswered
from leaseup_dagster.reminders.sending.protocol import ReminderDelivery
from leaseup_dagster.sandbox.builders import a_landlord, a_lease, a_tenant, a_unit, an_invoice
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.sandbox.twilio import ACCOUNT, TOKEN, TwilioStandIn
from leaseup_dagster.settings import ReminderSettings
from leaseup_dagster.sms.twilio import TwilioSender

DUE = date(2026, 11, 1)
NOON = datetime(2026, 11, 5, 12, tzinfo=JOHANNESBURG)
_runs = itertools.count(1)


def day(overdue_by: int) -> date:
    """The day on which what was due on DUE is so many days overdue."""
    return DUE + timedelta(days=overdue_by)


@dataclass
class Late:
    """An invoice that is late, with its one tenant."""

    invoice_id: str
    tenant_id: str
    request_code: str
    number: str


@pytest.fixture
def twilio() -> Iterator[TwilioStandIn]:
    with TwilioStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def texting(settings: pytest.MonkeyPatch, twilio: TwilioStandIn) -> pytest.MonkeyPatch:
    """The environment of a run that texts through Twilio."""
    for name, value in {
        "SMS_ENABLED": "true",
        "SMS_PROVIDER": "twilio",
        "SMS_API_KEY": ACCOUNT,
        "SMS_API_SECRET": TOKEN,
        "SMS_FROM_NUMBER": "LeaseUp",
        "TWILIO_BASE_URL": twilio.url,
    }.items():
        settings.setenv(name, value)
    return settings


@pytest.fixture
def late(connection: Connection, paystack: PaystackStandIn) -> Callable[..., Late]:
    """Makes an invoice of R8 500.00 that was due on DUE, with its payment request at Paystack."""
    numbers = itertools.count(1)

    def make(*, phone: str | None = None, tenant: dict[str, Any] | None = None, **values: Any):
        national = f"82{next(numbers):07}"
        landlord = a_landlord(connection)
        who = a_tenant(connection, landlord, phone=phone or f"0{national}", **(tenant or {}))
        home = a_unit(connection, landlord)
        lease = a_lease(
            connection, start=date(2026, 1, 1), landlord=landlord, tenants=[who], unit=home
        )
        code = a_request(paystack)
        given = {"paystackId": code, "status": "OVERDUE"} | values
        return Late(an_invoice(connection, lease, DUE, **given), who, code, f"+27{national}")

    return make


Another = Callable[..., str]


@pytest.fixture
def another(connection: Connection, paystack: PaystackStandIn) -> Another:
    """Another late invoice of the same lease: its id."""

    def make(first: Late, due: date, rands: float = 8500.0) -> str:
        sql = text('SELECT "leaseId" FROM invoice WHERE id = :id')
        lease = connection.execute(sql, {"id": first.invoice_id}).scalar_one()
        code = a_request(paystack, round(rands * 100))
        values = {"paystackId": code, "status": "OVERDUE", "dueAmount": rands}
        return an_invoice(connection, lease, due, **values)

    return make


def a_request(paystack: PaystackStandIn, cents: int = 850_000) -> str:
    """The code of a payment request that is at Paystack, unpaid."""
    customer = paystack.add_customer("tenant@example.com")
    made = paystack._books.add(
        customer, amount=cents, currency="ZAR", due_date=None, description="Rent", metadata=None,
        split_code=None,
    )  # fmt: skip
    return made.request_code


@pytest.fixture
def delivery(
    engine: Engine, paystack: PaystackStandIn, twilio: TwilioStandIn
) -> Iterator[ReminderDelivery]:
    """The protocol on the stand-ins, at noon."""
    sender = TwilioSender(
        base_url=twilio.url, account_sid=ACCOUNT, username=ACCOUNT, secret=TOKEN,
        from_number="LeaseUp",
    )  # fmt: skip
    with PaystackClient(
        secret_key="sk_test_sandbox",
        base_url=paystack.url,
        quota=SharedQuota(engine, 1_000_000),
        timeout_seconds=5,
        connections=10,
    ) as client:
        yield ReminderDelivery(engine, client, sender, ReminderSettings(), clock=lambda: NOON)
    sender.close()


Remind = Callable[..., list[ReminderResult]]


@pytest.fixture
def remind(delivery: ReminderDelivery) -> Remind:
    """One run, as the job's steps make it: `remind(day(4))`. `run_id` makes it part of another."""

    def run(as_of: date, *, run_id: str | None = None, **changed: Any) -> list[ReminderResult]:
        used = replace(delivery, **changed)
        run_id = run_id or f"run-{next(_runs)}"
        policy = ReminderPolicy.of(used.rules)
        unanswered.resolve_unanswered(used, 60)
        with used.engine.begin() as connection:
            queries.mark_overdue(connection, as_of)
        with used.engine.begin() as connection:
            found = selection.find(connection, policy, as_of)
        results = []
        for batch in batches.cut(found, ReminderDay(as_of, 0, False), 10):
            results += batches.remind(batch, used, run_id=run_id, width=10, seconds=60)
        return results

    return run


@contextmanager
def meanwhile(fault: Fault, act: Callable[[], Any]) -> Iterator[list[Any]]:
    """`act` runs beside the block until it meets `fault`; its result is in the list afterwards."""
    done: list[Any] = []
    thread = threading.Thread(target=lambda: done.append(act()))
    thread.start()
    try:
        assert fault.arrived.wait(10)
        yield done
    finally:
        fault.release()
        thread.join(10)


def kinds(results: list[ReminderResult]) -> list[Kind]:
    return [result.kind for result in results]


def status(connection: Connection, invoice_id: str) -> str:
    found = text("SELECT status FROM invoice WHERE id = :id")
    return connection.execute(found, {"id": invoice_id}).scalar_one()


def five_minutes_pass(connection: Connection) -> None:
    """For texts under way: no lookup may disturb them before two."""
    earlier = "attempted_at = attempted_at - interval '5 minutes'"
    connection.execute(text(f"UPDATE leaseup_dagster.reminder_ledger SET {earlier}"))


def ledger_rows(connection: Connection) -> list[Any]:
    rows = text("SELECT * FROM leaseup_dagster.reminder_ledger ORDER BY 1, 2, 3")
    return list(connection.execute(rows).all())
