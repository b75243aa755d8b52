"""The digest counts what happened in a day, and what waits for a person."""

from datetime import date

import dagster as dg
import pytest
from sqlalchemy import Connection, text

from leaseup_dagster.sandbox.builders import a_landlord, a_lease, a_tenant, a_unit
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.sandbox.twilio import TwilioStandIn
from tests.conftest import Run
from tests.operations.conftest import PHONE, Inbox

CHECK = ("check_upcoming_invoices", {"plan_invoices": {"as_of": "2026-11-24"}})


def three_leases(connection: Connection) -> None:
    landlord = a_landlord(connection)
    for _ in range(3):
        tenant, unit = a_tenant(connection, landlord), a_unit(connection, landlord)
        a_lease(connection, start=date(2026, 1, 1), landlord=landlord, unit=unit, tenants=[tenant])


def test_it_counts_what_happened_and_what_waits(
    run: Run, operators: pytest.MonkeyPatch, connection: Connection, paystack: PaystackStandIn,
    twilio: TwilioStandIn, inbox: Inbox,
) -> None:  # fmt: skip
    three_leases(connection)
    paystack.faults.on_create(Fault.refuse(400, "no"))
    run(*CHECK)

    assert run("send_daily_digest").success

    said = inbox.messages[0]
    assert said["title"].startswith("LeaseUp: the last day: 2 invoices, R17 000.00, 0 texts")
    assert "1 invoices refused" in said["message"]
    assert len(twilio.texts_to(PHONE)) == 1


def test_what_happened_before_is_not_counted(
    run: Run, operators: pytest.MonkeyPatch, connection: Connection, inbox: Inbox
) -> None:
    three_leases(connection)
    assert run(*CHECK).success
    yesterday = "UPDATE leaseup_dagster.invoice_ledger SET updated_at = now() - interval '25 hours'"
    connection.execute(text(yesterday))

    assert run("send_daily_digest").success

    assert inbox.messages[0]["title"].startswith("LeaseUp: the last day: 0 invoices, R0.00")


def test_its_schedule_is_an_option() -> None:
    from leaseup_dagster.operations.jobs import digest_at_ten

    assert digest_at_ten.default_status is dg.DefaultScheduleStatus.STOPPED
