"""Recording fails in the middle of a run, for everybody: how many requests still leave."""

from datetime import date

import pytest
from sqlalchemy import Connection, Engine, text

from leaseup_dagster.database.rehearsal import Stage, rehearse
from leaseup_dagster.invoicing import rehearsal
from leaseup_dagster.sandbox.builders import an_invoice
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.sandbox.twilio import TwilioStandIn
from tests.conftest import Run
from tests.recording.conftest import CHECK, Due
from tests.recording.test_least_role import texting  # noqa: F401 - a fixture
from tests.recording.test_refused_beforehand import failure_of

AT_ONCE = 10
ALL = 60

# What a rehearsal meets as well, and what only a record for good meets.
ALWAYS = "true"
FOR_GOOD = "current_setting('leaseup.rehearsal', true) IS DISTINCT FROM 'on'"


def refuse_after(connection: Connection, table: str, count: int, when: str) -> None:
    """From so many rows on, the table takes no more: somebody changed its rules."""
    connection.exec_driver_sql(
        f"CREATE FUNCTION enough() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF (SELECT count(*) FROM {table}) >= {count} AND {when} THEN RAISE 'enough'; END IF;"
        f" RETURN NEW; END $$; CREATE TRIGGER enough BEFORE INSERT ON {table}"
        " FOR EACH ROW EXECUTE FUNCTION enough()"
    )


def count(connection: Connection, sql: str) -> int:
    return connection.execute(text(f"SELECT count(*) FROM {sql}")).scalar_one()


@pytest.mark.parametrize("met", [ALWAYS, FOR_GOOD])
def test_billing_stops_after_the_first_few(
    run: Run, due: Due, connection: Connection, paystack: PaystackStandIn, met: str,
    settings: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """In all its batches and all their attempts together; what was sent is adopted later."""
    settings.setenv("TASK_MAX_DURATION_SECONDS", "60")  # less than what is sent takes to settle
    due(ALL)
    refuse_after(connection, "invoice", 5, met)

    broken = run(*CHECK)
    sent = len(paystack.requests_to("POST /paymentrequest"))
    recorded = count(connection, "invoice")
    connection.exec_driver_sql("DROP TRIGGER enough ON invoice")
    connection.exec_driver_sql(
        "UPDATE leaseup_dagster.invoice_ledger SET attempted_at = attempted_at - interval '1 hour'"
    )

    assert not broken.success
    assert 5 <= recorded <= 5 + AT_ONCE, "those under way do not see each other"
    # Twice as many workers as requests at once: what has its answer is recorded beside them.
    assert sent <= recorded + 3 + 2 * AT_ONCE
    finished = run(*CHECK)
    assert finished.success, failure_of(finished)
    assert len(paystack.payment_requests) == count(connection, "invoice") == ALL


def test_one_row_that_is_refused_stops_no_other(
    run: Run, due: Due, connection: Connection, settings: pytest.MonkeyPatch
) -> None:
    settings.setenv("TASK_MAX_DURATION_SECONDS", "60")
    leases = due(30)
    connection.exec_driver_sql(
        f"""ALTER TABLE invoice ADD CONSTRAINT no CHECK ("leaseId" NOT IN ('{leases[3]}'))"""
    )

    assert not run(*CHECK).success
    assert count(connection, "invoice") == 29


def test_texts_stop_after_the_first_few(
    run: Run,
    due: Due,
    connection: Connection,
    texting: TwilioStandIn,  # noqa: F811
) -> None:
    """A text that left counts as sent, recorded or not."""
    for lease in due(30):
        an_invoice(connection, lease, date(2026, 11, 1), paystackId="")
    connection.exec_driver_sql(
        "CREATE FUNCTION enough() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF NEW.state = 'sent' AND {FOR_GOOD} THEN RAISE 'enough'; END IF; RETURN NEW; END $$;"
        " CREATE TRIGGER enough BEFORE UPDATE ON leaseup_dagster.reminder_ledger"
        " FOR EACH ROW EXECUTE FUNCTION enough()"
    )
    day = {"as_of": "2026-11-24", "ignore_quiet_hours": True}

    assert not run("send_late_payment_reminders", {"mark_overdue_invoices": day}).success

    # Three that fail, and what the other five of six workers had begun when the third did.
    assert 3 <= len(texting.messages) <= 3 + 5
    assert count(connection, "leaseup_dagster.reminder_ledger") == len(texting.messages)


def test_the_application_waits_for_no_rehearsal(
    engine: Engine, due: Due, connection: Connection
) -> None:
    """In the middle of one it updates, inserts and bills as it likes."""
    (lease,) = due(1)
    before = count(connection, "invoice")

    def the_application_works(stage: Stage) -> None:
        rehearsal.invoiced(date(2026, 11, 24))(stage)
        connection.execute(text("SET lock_timeout = '100ms'"))
        connection.execute(text('UPDATE lease SET rent = 9000, "updatedAt" = now()'))
        connection.execute(text('UPDATE tenant SET "firstName" = \'Sipho\', "updatedAt" = now()'))
        connection.execute(text("""UPDATE "user" SET name = 'Naledi', "updatedAt" = now()"""))
        an_invoice(connection, lease, date(2026, 12, 1))

    stage = rehearse(engine, the_application_works)

    assert stage.refused == []
    numbers = connection.execute(text('SELECT "invoiceNumber" FROM invoice')).scalars().all()
    assert (before, numbers) == (0, [1])


def test_a_rehearsal_waits_two_seconds_for_the_application_and_refuses_nothing(
    engine: Engine, due: Due, connection: Connection
) -> None:
    due(1)
    with engine.begin() as application:
        application.execute(text("SELECT id FROM tenant FOR UPDATE"))
        stage = rehearse(engine, rehearsal.invoiced(date(2026, 11, 24)))

    assert stage.refused == []
    assert stage.notes == ["An invoice: somebody holds a lock, so it was not tried"]
