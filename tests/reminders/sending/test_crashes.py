"""SIGKILL between each two steps, and a second run: nobody twice, nobody who has paid, nobody
lost."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, Engine, text

from leaseup_dagster.reminders.keys import Kind
from leaseup_dagster.reminders.sending.circuit_breaker import FAILURE_THRESHOLD
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.twilio import SEND
from tests.processes import Child
from tests.reminders.conftest import (
    Late,
    Remind,
    day,
    five_minutes_pass,
    kinds,
    ledger_rows,
    status,
)
from tests.reminders.sending import child

pytestmark = pytest.mark.faults

VERIFY = "GET /paymentrequest/verify/:code"
_LOCK = 4711

Killed = Callable[[Callable[[], bool]], None]


@pytest.fixture
def killed_when(database_url, paystack, twilio) -> Killed:
    """Starts a run in a process of its own, and kills it as soon as `reached` says so."""

    def kill(reached: Callable[[], bool]) -> None:
        urls = (database_url, paystack.url, twilio.url, day(4))
        process = Child(child.run, *urls)
        wait_until(reached)
        process.kill()

    return kill


def wait_until(reached: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < give_up_at, "the run never came that far"
        time.sleep(0.005)


@contextmanager
def blocked(engine: Engine, table: str, event: str) -> Iterator[Callable[[], bool]]:
    """Whoever writes to `table` waits inside the block; yields whether somebody does."""
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as holder:
        holder.execute(text(f"SELECT pg_advisory_lock({_LOCK})"))
        holder.execute(
            text(
                "CREATE OR REPLACE FUNCTION wait_here() RETURNS trigger LANGUAGE plpgsql AS $$"
                " BEGIN IF current_setting('leaseup.rehearsal', true) IS DISTINCT FROM 'on'"
                f" THEN PERFORM pg_advisory_xact_lock({_LOCK}); END IF; RETURN NEW; END $$;"
                f"CREATE TRIGGER wait_here BEFORE {event} ON {table}"
                " FOR EACH ROW EXECUTE FUNCTION wait_here()"
            )
        )
        waiting = text(
            "SELECT pid FROM pg_stat_activity"
            " WHERE wait_event = 'advisory' AND datname = current_database()"
        )
        yield lambda: holder.execute(waiting).first() is not None
        # What the killed process left waiting must not go on without it.
        for (pid,) in holder.execute(waiting).all():
            holder.execute(text(f"SELECT pg_terminate_backend({pid}, 10000)"))
        holder.execute(text(f"DROP TRIGGER wait_here ON {table}"))
        holder.execute(text(f"SELECT pg_advisory_unlock({_LOCK})"))


def states(connection: Connection) -> list[str]:
    return [row.state for row in ledger_rows(connection)]


def test_killed_while_asking_paystack(late, remind: Remind, paystack, twilio, killed_when) -> None:
    late()
    asking = paystack.faults.on(VERIFY, Fault.hang_before_accepting())

    killed_when(asking.arrived.is_set)
    asking.release()

    assert kinds(remind(day(4))) == [Kind.TEXTED]
    assert len(twilio.messages) == 1


def test_killed_while_recording_a_payment(
    late, remind: Remind, paystack, twilio, engine, connection, killed_when
) -> None:
    made: Late = late()
    paystack.pay(made.request_code)

    with blocked(engine, "transaction", "INSERT") as waiting:
        killed_when(waiting)

    assert status(connection, made.invoice_id) == "OVERDUE"
    assert kinds(remind(day(4))) == [Kind.PAID]
    assert connection.execute(text("SELECT count(*) FROM transaction")).scalar() == 1
    assert twilio.messages == []


def test_killed_before_the_mark_is_committed(
    late, remind: Remind, twilio, engine, connection, killed_when
) -> None:
    late()

    with blocked(engine, "leaseup_dagster.reminder_ledger", "INSERT") as waiting:
        killed_when(waiting)

    assert states(connection) == []
    assert kinds(remind(day(4))) == [Kind.TEXTED]
    assert len(twilio.messages) == 1


def test_killed_after_the_mark_before_twilio_took_it(
    late, remind: Remind, twilio, connection, killed_when
) -> None:
    """It cannot be distinguished from a text that was sent, so it is not repeated: we choose
    silence."""
    late()
    sending = twilio.faults.on(SEND, Fault.hang_before_accepting())

    killed_when(sending.arrived.is_set)
    sending.abandon()

    assert states(connection) == ["sending"]
    assert remind(day(4)) == []
    five_minutes_pass(connection)
    assert remind(day(5)) == []
    assert states(connection) == ["unknown"]
    assert twilio.messages == []
    assert kinds(remind(day(11))) == [Kind.TEXTED]


def test_killed_after_twilio_took_it(late, remind: Remind, twilio, connection, killed_when) -> None:
    late()
    sending = twilio.faults.on(SEND, Fault.hang_after_accepting())

    killed_when(sending.arrived.is_set)
    sending.release()

    assert remind(day(4)) == []
    five_minutes_pass(connection)
    assert remind(day(5)) == []
    assert states(connection) == ["sent"]
    assert len(twilio.messages) == 1


def test_killed_before_the_answer_is_recorded(
    late, remind: Remind, twilio, engine, connection, killed_when
) -> None:
    late()

    with blocked(engine, "leaseup_dagster.reminder_ledger", "UPDATE") as waiting:
        killed_when(waiting)

    assert states(connection) == ["sending"]
    five_minutes_pass(connection)
    assert remind(day(5)) == []
    assert [row.message_id for row in ledger_rows(connection)] == [twilio.messages[0].sid]
    assert len(twilio.messages) == 1


def test_killed_in_the_middle_of_many(
    late, remind: Remind, twilio, connection, killed_when
) -> None:
    made = [late() for _ in range(12)]
    sending = twilio.faults.on(SEND, Fault.hang_after_accepting(), matching=made[5].number[1:])

    killed_when(sending.arrived.is_set)
    sending.release()
    remind(day(4))
    five_minutes_pass(connection)
    remind(day(5))

    texted = [message.to for message in twilio.messages]
    silent = {one.number for one in made} - set(texted)
    assert len(texted) == len(set(texted))
    # At most the others that were under way: marked, and not known to have been sent.
    assert len(silent) <= FAILURE_THRESHOLD - 1
    assert states(connection).count("unknown") == len(silent)
    assert states(connection).count("sent") == len(texted)


def test_told_to_stop_what_is_under_way_is_recorded_and_nothing_more_leaves(
    late, twilio, connection, database_url, paystack
) -> None:
    for _ in range(12):
        late()
    sending = twilio.faults.on(SEND, Fault.hang_after_accepting(), times=3)
    urls = (database_url, paystack.url, twilio.url, day(4))

    process = Child(child.run, *urls)
    wait_until(lambda: len(twilio.messages) == 3)
    process.send_signal(signal.SIGTERM)
    # Its main thread wakes up every 0.05 s to notice; what hangs keeps everything else waiting.
    time.sleep(0.5)
    sending.release()

    assert process.wait(30) == 1
    assert len(twilio.requests_to(SEND)) == 3
    assert states(connection) == ["sent"] * 3
