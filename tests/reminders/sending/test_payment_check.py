"""What Paystack says before anybody is reminded that they have not paid."""

from sqlalchemy import Connection, text

from leaseup_dagster.reminders.keys import Kind
from leaseup_dagster.sandbox.builders import a_transaction
from leaseup_dagster.sandbox.faults import Fault
from tests.reminders.conftest import Late, day, kinds, meanwhile, status

VERIFY = "GET /paymentrequest/verify/:code"
FETCH = "GET /paymentrequest/:code"


def payments(connection: Connection) -> list[tuple[float, str, str]]:
    sql = 'SELECT "amountPaid", "referenceId", method::text FROM transaction ORDER BY "createdAt"'
    return [tuple(row) for row in connection.execute(text(sql))]


def test_unpaid_costs_one_request_and_is_texted(late, remind, paystack) -> None:
    late()

    assert kinds(remind(day(4))) == [Kind.TEXTED]
    assert [seen.endpoint for seen in paystack.requests] == [VERIFY]


def test_paid_at_paystack_is_marked_paid_and_not_texted(
    late, remind, paystack, twilio, connection
) -> None:
    made: Late = late(status="PENDING")
    paid = paystack.pay(made.request_code)

    assert kinds(remind(day(4))) == [Kind.PAID]
    assert twilio.requests == []
    assert status(connection, made.invoice_id) == "PAID"
    assert payments(connection) == [(8500.0, paid.transactions[0]["reference"], "PAYSTACK")]


def test_a_payment_is_recorded_once_however_often_we_ask(
    late, remind, paystack, connection
) -> None:
    made: Late = late()
    paystack.pay(made.request_code, 300_000)

    for overdue_by in (4, 11, 18):
        remind(day(overdue_by))

    assert len(payments(connection)) == 1


def test_a_payment_the_application_has_already_is_not_recorded_again(
    late, remind, paystack, connection
) -> None:
    made: Late = late()
    paid = paystack.pay(made.request_code)
    a_transaction(
        connection, made.invoice_id, 4000.0, referenceId=paid.transactions[0]["reference"]
    )

    assert kinds(remind(day(4))) == [Kind.PAID]
    assert len(payments(connection)) == 1


def test_part_paid_at_paystack_is_recorded_and_the_rest_asked_for(
    late, remind, paystack, twilio, connection
) -> None:
    made: Late = late()
    paystack.pay(made.request_code, 300_000)

    assert kinds(remind(day(4))) == [Kind.TEXTED]
    assert "R5 500.00" in twilio.messages[0].body
    assert status(connection, made.invoice_id) == "OVERDUE"
    assert payments(connection)[0][0] == 3000.0


def test_part_paid_here_and_at_paystack_is_paid(late, remind, paystack, twilio, connection) -> None:
    made: Late = late()
    a_transaction(connection, made.invoice_id, 5500.0)
    paystack.pay(made.request_code, 300_000)

    assert kinds(remind(day(4))) == [Kind.PAID]
    assert twilio.requests == []
    assert status(connection, made.invoice_id) == "PAID"


def test_overpaid_is_paid(late, remind, paystack, connection) -> None:
    made: Late = late()
    paystack.pay(made.request_code, 900_000)

    assert kinds(remind(day(4))) == [Kind.PAID]
    assert payments(connection)[0][0] == 9000.0


def test_marked_as_paid_on_the_dashboard_has_no_transaction_of_its_own(
    late, remind, paystack, connection
) -> None:
    made: Late = late()
    paystack._books.find(made.request_code).status = "success"

    assert kinds(remind(day(4))) == [Kind.PAID]
    assert payments(connection) == [(8500.0, made.request_code, "PAYSTACK")]


def test_a_failed_payment_is_no_payment(late, remind, paystack, connection) -> None:
    made: Late = late()
    paystack.pay(made.request_code, 300_000).transactions[0]["status"] = "failed"

    assert kinds(remind(day(4))) == [Kind.TEXTED]
    assert payments(connection) == []


def test_paid_and_then_archived_is_paid(late, remind, paystack, connection) -> None:
    made: Late = late()
    paystack.pay(made.request_code)
    paystack.archive(made.request_code)

    assert kinds(remind(day(4))) == [Kind.PAID]
    assert status(connection, made.invoice_id) == "PAID"


def test_archived_and_unpaid_is_reported_and_not_texted(late, remind, paystack, twilio) -> None:
    paystack.archive(late().request_code)

    (result,) = remind(day(4))

    assert (result.kind, result.why) == (Kind.REQUEST_GONE, "archived at Paystack")
    assert twilio.requests == []


def test_unknown_at_paystack_is_reported_and_not_texted(late, remind, twilio) -> None:
    late(paystackId="PRQ_of_another_mode")

    assert kinds(remind(day(4))) == [Kind.REQUEST_GONE]
    assert twilio.requests == []


def test_without_a_payment_request_there_is_nobody_to_ask(late, remind, paystack, twilio) -> None:
    late(paystackId="")

    assert kinds(remind(day(4))) == [Kind.TEXTED]
    assert paystack.requests == []


def test_unreachable_means_no_text_today_and_one_tomorrow(late, remind, paystack, twilio) -> None:
    late()
    other: Late = late()
    paystack.faults.on(VERIFY, Fault.status(503), matching=other.request_code)

    assert sorted(kinds(remind(day(4)))) == [Kind.UNREACHABLE, Kind.TEXTED]
    assert len(twilio.messages) == 1
    assert kinds(remind(day(5))) == [Kind.TEXTED]


def test_paid_but_its_payments_unreadable_writes_nothing(
    late, remind, paystack, twilio, connection
) -> None:
    made: Late = late()
    paystack.pay(made.request_code)
    paystack.faults.on(FETCH, Fault.status(500))

    assert kinds(remind(day(4))) == [Kind.UNREACHABLE]
    assert status(connection, made.invoice_id) == "OVERDUE"
    assert payments(connection) == []


def test_cancelled_while_we_asked_stays_cancelled(late, remind, paystack, connection) -> None:
    """Once PAID was overwritten by OVERDUE: every change names the status it expects."""
    made: Late = late()
    paystack.pay(made.request_code)
    asking = paystack.faults.on(VERIFY, Fault.hang_after_accepting())

    with meanwhile(asking, lambda: remind(day(4))):
        connection.execute(text("UPDATE invoice SET status = 'CANCELLED'"))

    assert status(connection, made.invoice_id) == "CANCELLED"
    assert payments(connection) == []
