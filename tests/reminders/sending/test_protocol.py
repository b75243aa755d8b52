"""At most one text for each step, and silence where the outcome cannot be known."""

from datetime import date, datetime

import pytest
from sqlalchemy import text

from leaseup_dagster.as_of import JOHANNESBURG
from leaseup_dagster.reminders.keys import Kind
from leaseup_dagster.sandbox.builders import a_tenant, a_transaction, insert
from leaseup_dagster.sandbox.faults import Fault, Reply
from leaseup_dagster.sandbox.twilio import LIST, SEND, error
from leaseup_dagster.settings import ReminderSettings
from tests.reminders.conftest import (
    NOON,
    Late,
    day,
    five_minutes_pass,
    kinds,
    ledger_rows,
    meanwhile,
)

VERIFY = "GET /paymentrequest/verify/:code"


def change_phone(connection, tenant_id: str, phone: str) -> None:
    sql = text("UPDATE tenant SET phone = :phone WHERE id = :id")
    connection.execute(sql, {"phone": phone, "id": tenant_id})


def a_co_tenant(connection, made: Late, phone: str) -> str:
    """Somebody who lives there too, and is the younger row."""
    sql = text('SELECT "leaseId", "landlordId" FROM invoice WHERE id = :id')
    lease, landlord = connection.execute(sql, {"id": made.invoice_id}).one()
    tenant = a_tenant(connection, landlord, phone=phone, createdAt=date(2027, 1, 1))
    insert(connection, "tenant_lease", tenantId=tenant, leaseId=lease)
    return tenant


def test_a_late_tenant_is_texted_once(late, remind, twilio) -> None:
    made: Late = late()

    first, again = remind(day(4)), remind(day(4))

    assert kinds(first) == [Kind.TEXTED]
    assert again == []
    assert [message.to for message in twilio.messages] == [made.number]
    assert first[0].message_id == twilio.messages[0].sid


def test_the_ledger_keeps_neither_number_nor_text(late, remind, connection) -> None:
    made: Late = late(tenant={"firstName": "Lerato"})
    remind(day(4))

    (row,) = ledger_rows(connection)

    assert (row.state, row.step, row.as_of) == ("sent", 1, day(4))
    assert row.number == f"+27*****{made.number[-4:]}"
    assert not any(private in repr(row) for private in (made.number, made.number[3:], "Lerato"))


def test_forty_days_bring_four_texts_a_week_apart(late, remind, twilio) -> None:
    late(status="PENDING")
    texted = {}

    for overdue_by in range(40):
        for result in remind(day(overdue_by)):
            texted[overdue_by] = (result.kind, result.step)

    assert texted == {4 + 7 * n: (Kind.TEXTED, n + 1) for n in range(4)}
    assert len(twilio.messages) == 4


def test_no_repeats_means_once_only(late, remind, twilio, delivery) -> None:
    late()
    once = ReminderSettings(repeat_days=0)

    for overdue_by in (4, 11, 18):
        remind(day(overdue_by), rules=once)

    assert len(twilio.messages) == 1


def test_co_tenants_each_get_theirs(late, remind, twilio, connection) -> None:
    made: Late = late()
    a_co_tenant(connection, made, "083 555 0101")

    assert kinds(remind(day(4))) == [Kind.TEXTED, Kind.TEXTED]
    assert sorted(m.to for m in twilio.messages) == sorted([made.number, "+27835550101"])


def test_co_tenants_with_one_number_get_one_text(late, remind, twilio, connection) -> None:
    made: Late = late()
    other = a_co_tenant(connection, made, f"{made.number[:4]} {made.number[4:]}")

    (result,) = remind(day(4))

    assert result.tenant_ids == (made.tenant_id, other)
    assert len(twilio.messages) == 1
    assert [row.state for row in ledger_rows(connection)] == ["sent", "sent"]


def test_who_moves_in_with_the_same_number_gets_no_second_text(
    late, remind, twilio, connection
) -> None:
    made: Late = late()
    remind(day(4))
    a_co_tenant(connection, made, f"0027 {made.number[3:]}")

    assert kinds(remind(day(5))) == [Kind.ALREADY_TEXTED]
    assert len(twilio.messages) == 1


def test_a_bad_number_fails_alone_and_is_named_by_tenant(late, remind, twilio) -> None:
    phones = ("011 555 1234", "n/a", "082 123 4567 / 083 765 4321")
    bad = {late(phone=phone).tenant_id for phone in phones}
    late()

    results = remind(day(4))

    skipped = [result for result in results if result.kind is Kind.NO_MOBILE]
    assert {tenant_id for result in skipped for tenant_id in result.tenant_ids} == bad
    assert kinds(results).count(Kind.TEXTED) == 1
    assert not any(phone in repr(results) for phone in phones)


def test_a_foreign_mobile_is_texted(late, remind, twilio) -> None:
    late(phone="+44 7911 123456")
    remind(day(4))

    assert twilio.messages[0].to == "+447911123456"


def test_who_opted_out_is_left_alone_until_the_number_changes(
    late, remind, twilio, connection
) -> None:
    made: Late = late()
    late()
    twilio.refuse(made.number, 21610)

    assert sorted(kinds(remind(day(4)))) == [Kind.REFUSED, Kind.TEXTED]
    assert kinds(remind(day(5))) == [Kind.NUMBER_REFUSED_BEFORE]
    assert kinds(remind(day(11)))[0] is Kind.NUMBER_REFUSED_BEFORE
    change_phone(connection, made.tenant_id, "083 555 0101")
    assert kinds(remind(day(12))) == [Kind.TEXTED]
    assert len(twilio.requests_to(SEND)) == 4


def test_a_refused_number_is_refused_for_the_next_invoice_too(
    late, remind, twilio, connection
) -> None:
    made: Late = late()
    twilio.refuse(made.number, 21614)
    remind(day(4))
    other: Late = late()
    for table in ("tenant_lease", "invoice"):
        connection.execute(
            text(f'UPDATE {table} SET "tenantId" = :mine WHERE "tenantId" = :other'),
            {"mine": made.tenant_id, "other": other.tenant_id},
        )

    assert set(kinds(remind(day(5)))) == {Kind.NUMBER_REFUSED_BEFORE}


def test_too_much_at_once_is_tried_again_in_the_same_run(late, remind, twilio, connection) -> None:
    late()
    twilio.faults.on(SEND, Fault.answer(error(429, 20429)))

    assert kinds(remind(day(4), run_id="one")) == [Kind.NOT_SENT]
    assert ledger_rows(connection)[0].state == "planned"
    assert kinds(remind(day(4), run_id="one")) == [Kind.TEXTED]
    assert ledger_rows(connection)[0].attempts == 2


def test_a_provider_that_is_not_there_costs_nothing(late, remind, twilio) -> None:
    late()
    twilio.stop()

    assert kinds(remind(day(4))) == [Kind.NOT_SENT]
    twilio.start()
    assert kinds(remind(day(5))) == [Kind.TEXTED]


@pytest.mark.parametrize(
    "fault",
    [Fault.answer(error(500, 20500)), Fault.drop_before_accepting(), Fault.answer(Reply.html(201))],
)
def test_no_answer_counts_as_sent_for_ever(late, remind, twilio, connection, fault) -> None:
    late()
    twilio.faults.on(SEND, fault)

    assert kinds(remind(day(4))) == [Kind.UNKNOWN]
    five_minutes_pass(connection)
    assert remind(day(5)) == []
    assert ledger_rows(connection)[0].state == "unknown"
    assert len(twilio.requests_to(SEND)) == 1


def test_a_lost_answer_is_looked_up_by_the_next_run(late, remind, twilio, connection) -> None:
    late()
    twilio.faults.on(SEND, Fault.drop_after_accepting())
    remind(day(4))
    assert twilio.requests_to(LIST) == []

    five_minutes_pass(connection)
    remind(day(5))

    (row,) = ledger_rows(connection)
    assert (row.state, row.message_id) == ("sent", twilio.messages[0].sid)
    assert len(twilio.messages) == 1


def test_a_lost_text_that_failed_is_a_refused_number(late, remind, twilio, connection) -> None:
    late()
    twilio.faults.on(SEND, Fault.drop_after_accepting())
    remind(day(4))
    twilio.messages[0].status, twilio.messages[0].error_code = "undelivered", 30006

    five_minutes_pass(connection)

    assert kinds(remind(day(5))) == [Kind.NUMBER_REFUSED_BEFORE]
    assert ledger_rows(connection)[0].state == "refused"


def test_a_text_is_not_looked_for_at_a_number_that_changed(
    late, remind, twilio, connection
) -> None:
    made: Late = late()
    twilio.faults.on(SEND, Fault.drop_after_accepting())
    remind(day(4))
    change_phone(connection, made.tenant_id, "083 555 0101")

    five_minutes_pass(connection)
    remind(day(5))

    assert twilio.requests_to(LIST) == []
    assert ledger_rows(connection)[0].state == "unknown"


def test_a_text_under_way_is_left_alone(late, remind, twilio, connection) -> None:
    late()
    sending = twilio.faults.on(SEND, Fault.hang_after_accepting())

    with meanwhile(sending, lambda: remind(day(4))) as done:
        assert remind(day(4)) == []
        assert twilio.requests_to(LIST) == []

    assert kinds(done[0]) == [Kind.TEXTED]
    assert len(twilio.messages) == 1


@pytest.mark.parametrize("fault", [Fault.answer(error(500, 20500)), Fault.drop_after_accepting()])
def test_an_outage_costs_three_texts_however_many_are_due(
    late, remind, twilio, connection, fault
) -> None:
    for _ in range(25):
        late()
    twilio.faults.on(SEND, fault, times=None)

    results = remind(day(4))

    assert len(twilio.requests_to(SEND)) == 3
    assert (kinds(results).count(Kind.UNKNOWN), kinds(results).count(Kind.HELD)) == (3, 22)
    twilio.faults.clear()
    assert kinds(remind(day(5))) == [Kind.TEXTED] * 22


def test_an_account_problem_stops_at_once_and_burns_nothing(late, remind, twilio) -> None:
    for _ in range(12):
        late()
    twilio.faults.on(SEND, Fault.answer(error(401, 20003)), times=None)

    results = remind(day(4))

    assert len(twilio.requests_to(SEND)) <= 3
    assert "SMS_API_KEY" in next(r.why for r in results if r.kind is Kind.ACCOUNT)
    twilio.faults.clear()
    assert kinds(remind(day(5))) == [Kind.TEXTED] * 12


def test_three_refusals_alike_mean_the_account_and_are_taken_back(
    late, remind, twilio, connection
) -> None:
    for _ in range(12):
        late()
    twilio.faults.on(SEND, Fault.answer(error(400, 29999)), times=None)

    results = remind(day(4))

    assert len(twilio.requests_to(SEND)) == 3
    assert (kinds(results).count(Kind.ACCOUNT), kinds(results).count(Kind.HELD)) == (3, 9)
    assert {row.state for row in ledger_rows(connection)} == {"planned"}
    twilio.faults.clear()
    assert kinds(remind(day(5))) == [Kind.TEXTED] * 12


def test_one_unlisted_refusal_is_of_the_number(late, remind, twilio) -> None:
    made: Late = late()
    late()
    twilio.refuse(made.number, 29999)

    assert sorted(kinds(remind(day(4)))) == [Kind.REFUSED, Kind.TEXTED]


def test_at_most_three_texts_are_under_way(late, remind, twilio) -> None:
    for _ in range(10):
        late()
    twilio._latency_seconds = 0.02
    remind(day(4))

    assert twilio.most_at_once == 3


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE invoice SET status = 'PAID'",
        "UPDATE invoice SET status = 'CANCELLED'",
        'INSERT INTO transaction (id, "invoiceId", description, "amountPaid", "updatedAt")'
        " SELECT 't', id, 'cash', 8500, now() FROM invoice",
    ],
)
def test_paid_or_cancelled_while_paystack_was_asked_is_not_texted(
    late, remind, paystack, twilio, connection, change
) -> None:
    late()
    asking = paystack.faults.on(VERIFY, Fault.hang_before_accepting())

    with meanwhile(asking, lambda: remind(day(4))) as done:
        connection.execute(text(change))

    assert kinds(done[0]) == [Kind.NO_LONGER_LATE]
    assert twilio.requests == []


def test_the_text_asks_for_what_is_due_now(late, remind, twilio, connection) -> None:
    a_transaction(connection, late().invoice_id, 1500.0)
    remind(day(4))

    assert "R7 000.00" in twilio.messages[0].body


def test_nobody_is_texted_or_asked_about_at_night(
    late, remind, delivery, paystack, twilio, connection
) -> None:
    late()
    night = datetime(2026, 11, 5, 22, 40, tzinfo=JOHANNESBURG)

    assert kinds(remind(day(4), clock=lambda: night)) == [Kind.QUIET_HOURS]
    assert paystack.requests == twilio.requests == []
    assert kinds(remind(day(5))) == [Kind.TEXTED]


def test_a_run_that_drifts_into_the_night_stops_texting(late, remind, twilio) -> None:
    for _ in range(5):
        late()
    before, after = (NOON.replace(hour=19, minute=59), NOON.replace(hour=20))

    results = remind(day(4), clock=lambda: after if twilio.messages else before)

    assert kinds(results).count(Kind.QUIET_HOURS) >= 2
    assert kinds(results).count(Kind.TEXTED) == len(twilio.messages) <= 3


def test_twilio_is_told_not_to_deliver_at_night(late, remind, twilio) -> None:
    late()
    remind(day(4))

    assert twilio.messages[0].validity_seconds == 8 * 3600


def test_switched_off_it_is_planned_and_not_sent(
    late, remind, delivery, twilio, connection
) -> None:
    late()

    assert kinds(remind(day(4), sender=None)) == [Kind.PLANNED]
    assert twilio.requests == []
    assert ledger_rows(connection) == []


def test_a_mark_that_went_stale_is_dropped_instead_of_sent(
    late, remind, twilio, connection
) -> None:
    """A process that was paused must not text somebody who has paid meanwhile."""
    late()

    assert kinds(remind(day(4), send_window_seconds=0)) == [Kind.NOT_SENT]
    assert twilio.requests == []
    assert ledger_rows(connection)[0].state == "planned"


def test_told_to_stop_nothing_leaves(late, remind, delivery, paystack, twilio) -> None:
    late()
    delivery.paystack.stop.set()

    assert kinds(remind(day(4))) == [Kind.LEFT]
    assert paystack.requests == twilio.requests == []


def test_a_broken_row_stops_no_other(late, remind, delivery, twilio, connection) -> None:
    made: Late = late()
    late()
    connection.execute(
        text(
            "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF NEW.invoice_id = '{made.invoice_id}' THEN RAISE 'poison %', NEW.number; END IF;"
            " RETURN NEW; END $$; CREATE TRIGGER poison BEFORE INSERT ON"
            " leaseup_dagster.reminder_ledger FOR EACH ROW EXECUTE FUNCTION poison()"
        )
    )

    results = remind(day(4))

    assert sorted(kinds(results)) == [Kind.BROKEN, Kind.TEXTED]
    why = next(r.why for r in results if r.kind is Kind.BROKEN)
    assert "RaiseException (in PL/pgSQL function poison())" in why
    assert "poison *" not in why


def test_an_unreadable_amount_is_reported(late, remind, twilio) -> None:
    late(dueAmount=float("nan"))

    assert kinds(remind(day(4))) == [Kind.NO_AMOUNT]
    assert twilio.requests == []


class _Explosive:
    """A sender with a bug."""

    provider = "twilio"

    def send(self, *_: object, **__: object) -> None:
        raise KeyError("+27821234567")


def test_a_sender_that_raises_may_have_sent(late, remind, delivery, connection) -> None:
    late()

    (result,) = remind(day(4), sender=_Explosive())

    assert result.kind is Kind.UNKNOWN
    assert "+27" not in result.why
