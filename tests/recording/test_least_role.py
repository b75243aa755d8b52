"""What `grants` prints is enough for everything, and all of what is lacking is said at once."""

from datetime import date

import pytest
from sqlalchemy import Connection

from leaseup_dagster.database import step_outputs
from leaseup_dagster.database.connection import open_engine
from leaseup_dagster.database.rights import needed
from leaseup_dagster.sandbox.builders import a_landlord, a_lease, a_tenant, a_unit, an_invoice
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.sandbox.twilio import ACCOUNT, TOKEN, TwilioStandIn
from tests.conftest import Run
from tests.recording.conftest import AS_OF, CHECK, Command, Due, as_role
from tests.test_security import jobs


@pytest.fixture
def texting(settings: pytest.MonkeyPatch):
    with TwilioStandIn() as twilio:
        for name, value in {
            "SMS_ENABLED": "true",
            "SMS_PROVIDER": "twilio",
            "SMS_API_KEY": ACCOUNT,
            "SMS_API_SECRET": TOKEN,
            "SMS_FROM_NUMBER": "LeaseUp",
            "TWILIO_BASE_URL": twilio.url,
        }.items():
            settings.setenv(name, value)
        yield twilio


def test_every_job_runs_with_the_least(
    role: str, run: Run, texting: TwilioStandIn, connection: Connection, paystack: PaystackStandIn
) -> None:
    landlord = a_landlord(connection)
    tenant = a_tenant(connection, landlord)
    lease = a_lease(
        connection, start=date(2026, 1, 1), landlord=landlord, tenants=[tenant],
        unit=a_unit(connection, landlord),
    )  # fmt: skip
    an_invoice(connection, lease, date(2026, 11, 1), paystackId="")
    assert run(*CHECK).success
    made = paystack.payment_requests[0]
    invoice = connection.exec_driver_sql(
        'SELECT id FROM invoice WHERE "paystackId" = %(code)s', {"code": made.request_code}
    ).scalar_one()

    wanted = jobs(lease, invoice)
    wanted.pop("decide_payment")  # there is nothing to decide
    wanted["create_invoice"]["plan_one_invoice"] |= {"due_date": "2027-01-01"}
    failed = [job for job, ops in wanted.items() if not run(job, ops).success]

    assert failed == []
    status = connection.exec_driver_sql(
        "SELECT status::text FROM invoice WHERE id = %(id)s", {"id": invoice}
    )
    assert status.scalar() == "CANCELLED"
    assert len(texting.messages) == 1


def test_a_payment_found_at_night_is_recorded_with_the_least(
    role: str, run: Run, due: Due, connection: Connection, paystack: PaystackStandIn
) -> None:
    due(1)
    assert run(*CHECK).success
    paystack.pay(paystack.payment_requests[0].request_code)

    assert run("reconcile_payment_requests").success

    paid = connection.exec_driver_sql('SELECT "amountPaid" FROM transaction').scalars().all()
    assert paid == [8500.0]


def test_commands_and_steps_on_many_machines_need_no_more(
    role: str, due: Due, command: Command, database_url: str
) -> None:
    (lease,) = due(1)

    assert command("check")[0] == 0
    assert f"Lease {lease} as of" in command("explain", lease, "--as-of", AS_OF["as_of"])[1]
    assert command("communications", "--lease", lease)[0] == 0
    assert command("grants")[0] == 0
    assert command("arrears")[0] == 0
    assert command("invoices", "--from", "2026-01-01")[0] == 0
    assert command("payments", "--from", "2026-01-01")[0] == 0
    engine = open_engine(as_role(database_url), 1)
    with engine.begin() as connection:
        step_outputs.keep(connection, "a", b"1")
        step_outputs.keep(connection, "a", b"2")
        assert step_outputs.fetch(connection, "a") == b"2"
    engine.dispose()


def test_with_the_least_nothing_is_lacking(role: str, command: Command) -> None:
    assert command("grants", "--lacking") == (0, '-- rent "collector" lacks nothing\n')


def test_each_right_that_is_taken_away_is_named_with_its_grant(
    role: str, command: Command, connection: Connection, database_url: str
) -> None:
    """All of them at once; and what is printed gives them back."""
    connection.exec_driver_sql(
        f'REVOKE USAGE ON SEQUENCE "invoice_invoiceNumber_seq" FROM {role};'
        f' REVOKE SELECT ("rent") ON lease FROM {role};'
        f' REVOKE UPDATE ("status") ON invoice FROM {role};'
        f" REVOKE INSERT ON leaseup_dagster.invoice_history FROM {role}"
    )

    code, said = command("check")
    lacking = command("grants", "--lacking")[1]

    assert code == 1
    for grant in (
        f'GRANT USAGE ON SEQUENCE "public"."invoice_invoiceNumber_seq" TO {role};',
        f'GRANT SELECT ("rent") ON "public"."lease" TO {role};',
        f'GRANT UPDATE ("status") ON "public"."invoice" TO {role};',
        f'GRANT INSERT ON "leaseup_dagster"."invoice_history" TO {role};',
    ):
        assert grant in said
        assert grant in lacking
    assert said.endswith("1 of 9 wrong: DATABASE_URL\n")
    connection.exec_driver_sql(lacking)
    assert command("check")[0] == 0


def test_our_schema_made_by_its_owner_is_named_with_its_grants(
    role: str, command: Command, connection: Connection
) -> None:
    connection.exec_driver_sql(f"REVOKE USAGE ON SCHEMA leaseup_dagster FROM {role}")

    code, said = command("check")

    assert code == 1
    assert f'GRANT USAGE ON SCHEMA "leaseup_dagster" TO {role};' in said


def test_none_of_the_rights_is_there_for_nothing(connection: Connection) -> None:
    """Each once; a table of ours that is not listed would be found by the test of all jobs."""
    rights = needed(connection, "public")

    assert len(rights) == len(set(rights))
    assert not any(right.privilege == "DELETE" and right.schema == "public" for right in rights)
