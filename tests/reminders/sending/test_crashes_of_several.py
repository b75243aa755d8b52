"""SIGKILL around one text about several invoices: all of them have had their step, or none."""

from datetime import date

import pytest
from sqlalchemy import Connection, text

from leaseup_dagster.reminders.keys import Kind
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.twilio import SEND, error
from tests.reminders.conftest import (
    Another,
    Late,
    Remind,
    day,
    five_minutes_pass,
    kinds,
    ledger_rows,
)
from tests.reminders.sending.test_crashes import Killed, blocked, killed_when, states

pytestmark = pytest.mark.faults

__all__ = ["killed_when"]  # a fixture


@pytest.fixture
def three(late, another: Another) -> Late:
    """One tenant with three late invoices, R25 500.00 together."""
    first: Late = late()
    another(first, date(2026, 10, 1))
    another(first, date(2026, 9, 1))
    return first


def test_killed_before_the_marks_are_committed_one_text_names_all(
    three: Late, remind: Remind, twilio, engine, connection: Connection, killed_when: Killed
) -> None:
    """It is stopped at the claim of the three."""
    with blocked(engine, "leaseup_dagster.reminder_ledger", "INSERT") as waiting:
        killed_when(waiting)

    assert states(connection) == []
    assert kinds(remind(day(4))) == [Kind.TEXTED, *[Kind.IN_THE_SAME_TEXT] * 2]
    (sent,) = twilio.messages
    assert "R25 500.00 is unpaid" in sent.body


def test_killed_after_the_marks_before_twilio_took_it_none_is_repeated(
    three: Late, remind: Remind, twilio, connection: Connection, killed_when: Killed
) -> None:
    sending = twilio.faults.on(SEND, Fault.hang_before_accepting())
    killed_when(sending.arrived.is_set)
    sending.abandon()

    assert states(connection) == ["sending"] * 3
    assert remind(day(4)) == []
    five_minutes_pass(connection)
    assert remind(day(5)) == []
    assert states(connection) == ["unknown"] * 3
    assert twilio.messages == []
    # The older two have had the last text of their schedule, as far as can be known.
    assert kinds(remind(day(11))) == [Kind.TEXTED]
    assert len(twilio.messages) == 1


def test_killed_after_twilio_took_it_the_text_is_found_for_each_invoice(
    three: Late, remind: Remind, twilio, connection: Connection, killed_when: Killed
) -> None:
    sending = twilio.faults.on(SEND, Fault.hang_after_accepting())
    killed_when(sending.arrived.is_set)
    sending.release()

    five_minutes_pass(connection)
    assert remind(day(5)) == []
    (sent,) = twilio.messages
    assert {(row.state, row.message_id) for row in ledger_rows(connection)} == {("sent", sent.sid)}


def test_killed_before_the_answer_is_recorded_all_are_recorded_later(
    three: Late, remind: Remind, twilio, engine, connection: Connection, killed_when: Killed
) -> None:
    """It is stopped at the first record of the three."""
    with blocked(engine, "leaseup_dagster.reminder_ledger", "UPDATE") as waiting:
        killed_when(waiting)

    assert states(connection) == ["sending"] * 3
    five_minutes_pass(connection)
    assert remind(day(5)) == []
    assert states(connection) == ["sent"] * 3
    assert len(twilio.messages) == 1


def test_what_certainly_was_not_sent_is_tried_again_with_all_of_it(
    three: Late, remind: Remind, twilio, connection: Connection
) -> None:
    twilio.faults.on(SEND, Fault.answer(error(429, 20429)))

    assert kinds(remind(day(4))) == [Kind.NOT_SENT] * 3
    assert states(connection) == ["planned"] * 3
    assert kinds(remind(day(4))) == [Kind.TEXTED, *[Kind.IN_THE_SAME_TEXT] * 2]
    (sent,) = twilio.messages
    assert "R25 500.00 is unpaid" in sent.body


def test_an_invoice_that_is_paid_before_the_second_try_is_not_in_it(
    three: Late, remind: Remind, twilio, paystack, connection: Connection
) -> None:
    twilio.faults.on(SEND, Fault.answer(error(429, 20429)))
    remind(day(4))
    paystack.pay(three.request_code)

    remind(day(4))

    (sent,) = twilio.messages
    assert "R17 000.00 is unpaid" in sent.body
    paid = text("SELECT state FROM leaseup_dagster.reminder_ledger WHERE invoice_id = :id")
    assert connection.execute(paid, {"id": three.invoice_id}).scalar_one() == "planned"
