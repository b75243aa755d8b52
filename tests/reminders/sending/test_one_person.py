"""One text a person and day, whatever is late; and how long a number is left alone."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Connection, text

from leaseup_dagster.reminders import ledger
from leaseup_dagster.reminders.keys import Kind, LateInvoices, ReminderDay, SettledTexts
from leaseup_dagster.reminders.rules.refusals import Refusal, is_left_alone
from leaseup_dagster.reminders.sending.ops import report_reminders
from leaseup_dagster.reminders.sending.protocol import ReminderDelivery
from leaseup_dagster.sandbox.builders import a_transaction
from leaseup_dagster.sandbox.faults import Fault
from tests.reminders.conftest import (
    DUE,
    Another,
    day,
    five_minutes_pass,
    kinds,
    ledger_rows,
)

Remind = Callable[..., list[Any]]


def months_before(count: int) -> list[date]:
    return [date(DUE.year, DUE.month - number, 1) for number in range(1, count + 1)]


def test_the_first_morning_on_an_old_portfolio_sends_one_text_a_person_with_the_sum(
    late, remind: Remind, twilio, connection: Connection, another: Another
) -> None:
    first = late()
    for due in months_before(5):
        another(first, due)

    results = remind(day(4))

    (sent,) = twilio.messages
    assert "R51 000.00 is unpaid: rent for" in sent.body
    assert "due 1 Jun 2026, and 5 more" in sent.body
    assert kinds(results) == [Kind.TEXTED, *[Kind.IN_THE_SAME_TEXT] * 5]
    assert {row.message_id for row in ledger_rows(connection)} == {results[0].message_id}
    assert sum(row.segments for row in ledger_rows(connection)) == 2
    assert sum(row.amount_cents for row in ledger_rows(connection)) == 5_100_000


def test_two_years_of_one_person_among_others_are_one_text_with_the_whole_sum(
    late, remind: Remind, twilio, another: Another
) -> None:
    """More than a batch holds, and its border would fall in the middle of them."""
    others = [late() for _ in range(4)]
    first = late()
    for month in range(1, 24):
        another(first, date(2023 + month // 12, month % 12 + 1, 1))

    remind(day(4))

    (sent,) = twilio.texts_to(first.number)
    assert "R204 000.00 is unpaid" in sent
    assert "and 23 more" in sent
    assert len(twilio.messages) == len(others) + 1


def test_each_invoice_of_a_text_has_had_its_step(
    late, remind: Remind, twilio, another: Another
) -> None:
    first = late()
    another(first, months_before(1)[0])
    remind(day(4))

    assert remind(day(4)) == []
    assert len(twilio.messages) == 1


def test_a_step_that_is_tried_again_counts_one_text_for_all_its_invoices(
    late, remind: Remind, connection: Connection, another: Another
) -> None:
    """What its first attempt sent is read in the ledger."""
    first = late()
    older = another(first, months_before(1)[0])
    remind(day(4), run_id="one")

    found = {
        r.invoice_id: r.kind for r in ledger.results(connection, "one", [first.invoice_id, older])
    }

    assert found == {older: Kind.TEXTED, first.invoice_id: Kind.IN_THE_SAME_TEXT}


def test_what_was_paid_meanwhile_is_not_in_the_sum(
    late, remind: Remind, twilio, paystack, another: Another, connection: Connection
) -> None:
    first = late()
    oldest = another(first, months_before(2)[1])
    another(first, months_before(1)[0], 1000.0)
    code = text('SELECT "paystackId" FROM invoice WHERE id = :id')
    paystack.pay(connection.execute(code, {"id": oldest}).scalar_one())

    remind(day(4))

    (sent,) = twilio.messages
    assert "R9 500.00 is unpaid" in sent.body
    assert "and 1 more" in sent.body


def test_two_landlords_of_one_person_are_two_texts_on_two_days(
    late, remind: Remind, twilio
) -> None:
    late(phone="082 555 0101")
    late(phone="+27825550101")

    first, second = remind(day(4)), remind(day(5))

    assert sorted(kinds(first)) == sorted([Kind.TEXTED, Kind.TEXTED_TODAY])
    assert kinds(second) == [Kind.TEXTED]
    assert len(twilio.messages) == 2


def test_a_killed_text_about_several_is_not_sent_again(
    late, remind: Remind, twilio, connection: Connection, another: Another
) -> None:
    """Marked and committed, and nobody knows whether it left."""
    first = late()
    another(first, months_before(1)[0])
    remind(day(4))
    connection.execute(text("UPDATE leaseup_dagster.reminder_ledger SET state = 'sending'"))

    remind(day(4))
    remind(day(5))

    assert len(twilio.messages) == 1


def test_more_texts_than_usual_wait_for_a_persons_word(
    late, run, texting: pytest.MonkeyPatch, twilio
) -> None:
    texting.setenv("REMINDER_MAX_TEXTS", "1")
    texting.setenv("REMINDER_QUIET_HOURS", "00:00-00:00")
    late()
    late()
    config = {"as_of": str(day(4))}

    held = run("send_late_payment_reminders", {"mark_overdue_invoices": config})

    assert not held.success
    assert twilio.messages == []
    confirmed = {"mark_overdue_invoices": config | {"confirm_up_to": 2}}
    assert run("send_late_payment_reminders", confirmed).success
    assert len(twilio.messages) == 2


def test_a_part_paid_outside_paystack_leaves_out_the_page_that_asks_for_the_whole(
    late, remind: Remind, twilio, connection: Connection
) -> None:
    made = late()
    a_transaction(connection, made.invoice_id, 3000.0)

    remind(day(4))

    (sent,) = twilio.messages
    assert "R5 500.00" in sent.body
    assert made.request_code not in sent.body
    assert "ask Dlamini Properties" in sent.body


def test_a_part_paid_at_paystack_links_to_the_page_that_asks_for_the_rest(
    late, remind: Remind, twilio, paystack
) -> None:
    made = late()
    paystack.pay(made.request_code, 300_000)

    remind(day(4))

    (sent,) = twilio.messages
    assert "R5 500.00" in sent.body
    assert made.request_code in sent.body


def test_stop_is_respected_and_the_next_invoice_is_tried(
    late, remind: Remind, twilio, another: Another
) -> None:
    made = late()
    twilio.refuse(made.number, 21610)
    assert kinds(remind(day(4))) == [Kind.REFUSED]
    twilio.accept(made.number)  # the tenant has replied START

    assert kinds(remind(day(11))) == [Kind.NUMBER_REFUSED_BEFORE]
    another(made, day(10))
    later = remind(day(25))

    assert sorted(kinds(later)) == sorted([Kind.NUMBER_REFUSED_BEFORE, Kind.TEXTED])


@pytest.mark.parametrize(
    ("code", "days", "alone"),
    [
        ("21610", 0, True),
        ("21610", 900, True),
        ("OptedOut", 900, True),
        ("21614", 179, True),
        ("21614", 180, False),
        ("30006", 29, True),
        ("30006", 30, False),
        ("", 30, False),
    ],
)
def test_each_refusal_has_its_own_time(code: str, days: int, alone: bool) -> None:
    refusal = Refusal("hash", code, day(4))

    assert is_left_alone([refusal], "hash", DUE, day(4) + timedelta(days=days)) is alone
    assert not is_left_alone([refusal], "another", DUE, day(4))
    assert not is_left_alone([replace(refusal, code="21610")], "hash", day(5), day(9))


def test_a_handset_that_was_off_does_not_count_against_the_number(
    late, remind: Remind, twilio, connection: Connection, another: Another
) -> None:
    """No answer came; when it is searched for, Twilio could not deliver it just then."""
    made = late()
    twilio.faults.on("POST /Messages.json", Fault.drop_after_accepting())
    assert kinds(remind(day(4))) == [Kind.UNKNOWN]
    twilio.messages[0].status, twilio.messages[0].error_code = "undelivered", 30003
    five_minutes_pass(connection)

    assert kinds(remind(day(11))) == [Kind.TEXTED]
    assert [row.state for row in ledger_rows(connection)] == ["sent", "sent"]
    assert made.number == twilio.messages[1].to


def test_a_run_that_goes_on_from_failure_counts_what_is_left_in_the_database(
    late, delivery: ReminderDelivery
) -> None:
    """The steps that text never ran, and it has no results of theirs."""
    people = tuple((late().invoice_id,) for _ in range(3))
    found = LateInvoices(day(4), 3, 0, 0, people)
    context = dg.build_op_context()

    events = list(
        report_reminders(
            context, ReminderDay(day(4), 0, False), SettledTexts(), found, [], delivery
        )
    )

    assert events[0].metadata["left for the next run"].value == "3"
    assert "3 invoices are more than 3 days late, R0.00: 3 left for the next run." in (
        events[0].metadata["report"].value
    )
