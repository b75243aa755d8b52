"""One set of books: what a night makes of money that LeaseUp or its landlords wrote down too."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from leaseup_dagster.invoicing.payments import questions
from leaseup_dagster.sandbox.builders import a_transaction, an_invoice
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from tests.reconciliation.conftest import failure_of, invoices, payments, said, today

FETCH = "GET /paymentrequest/:code"
ARCHIVE = "POST /paymentrequest/archive/:code"
CHECK = "every_payment_counted_once"


def check_of(result: Any) -> bool:
    events = [e for e in result.all_events if e.event_type_value == "ASSET_CHECK_EVALUATION"]
    (found,) = [e.event_specific_data for e in events]
    assert found.check_name == CHECK
    return found.passed


def set_status(connection: Connection, status: str) -> str:
    sql = 'UPDATE invoice SET status = CAST(:status AS "InvoiceStatus") RETURNING id'
    return connection.execute(text(sql), {"status": status}).scalar_one()


@pytest.fixture
def paid_by_webhook(billed, connection: Connection, paystack: PaystackStandIn):
    """The month, paid, as LeaseUp's webhook leaves it: PARTIALLY_PAID."""
    (made,) = paystack.payment_requests
    paystack.pay(made.request_code)
    invoice = set_status(connection, "PARTIALLY_PAID")
    a_transaction(connection, invoice, 8500.0, referenceId=made.offline_reference)
    return made


def test_what_the_webhook_recorded_is_not_recorded_again_and_the_invoice_is_paid(
    night, paid_by_webhook, connection: Connection
) -> None:
    assert said(night()) == {"marked paid": 1}

    assert payments(connection) == [(8500.0, paid_by_webhook.offline_reference)]
    assert invoices(connection) == [("PAID", paid_by_webhook.request_code)]
    assert said(night()) == {}


def test_marked_as_paid_by_hand_beside_the_webhooks_row_is_named(
    night, paid_by_webhook, connection: Connection
) -> None:
    """A landlord sees PARTIALLY_PAID, which the webhook left, and presses the button."""
    a_transaction(connection, set_status(connection, "PAID"), 8500.0)

    result = night()

    assert said(result) == {"undecided": 1}
    assert "more than was billed" in failure_of(result)


def test_the_webhooks_second_row_is_told_once_and_stays_in_the_check_until_it_is_deleted(
    night, paid_by_webhook, connection: Connection
) -> None:
    (invoice,) = connection.execute(text("SELECT id FROM invoice")).scalars()
    again = a_transaction(
        connection, invoice, 8500.0, referenceId=paid_by_webhook.offline_reference
    )

    first, second = night(), night()

    assert (first.success, check_of(first)) == (False, False)
    assert said(first) == {"marked paid": 1, "undecided": 1}
    assert "recorded twice" in failure_of(first)
    assert invoice in failure_of(first)
    assert (second.success, check_of(second)) == (True, False)
    assert said(second) == {"waiting for a person": 1}
    assert len(payments(connection)) == 2
    connection.execute(text("DELETE FROM transaction WHERE id = :id"), {"id": again})
    third = night()
    assert (said(third), check_of(third)) == ({}, True)


def test_the_request_of_an_invoice_marked_as_paid_by_hand_is_archived(
    night, billed, connection: Connection, paystack: PaystackStandIn
) -> None:
    (made,) = paystack.payment_requests
    a_transaction(connection, set_status(connection, "PAID"), 8500.0)

    assert said(night()) == {"archived": 1}

    assert made.archived
    paystack.requests.clear()
    assert said(night()) == {}
    assert FETCH not in {seen.endpoint for seen in paystack.requests}


def test_the_request_of_a_cancelled_invoice_is_archived(
    night, billed, connection: Connection, paystack: PaystackStandIn
) -> None:
    (made,) = paystack.payment_requests
    set_status(connection, "CANCELLED")

    assert said(night()) == {"archived": 1}

    assert made.archived
    night()
    paystack.requests.clear()
    assert said(night()) == {}
    assert FETCH not in {seen.endpoint for seen in paystack.requests}


@pytest.mark.parametrize(
    ("status", "doubt"),
    [
        ("PAID", "paid otherwise and at Paystack"),
        ("CANCELLED", "paid although cancelled"),
        ("DRAFT", "paid although cancelled"),
    ],
)
def test_money_on_a_request_that_is_settled_otherwise_is_for_a_person(
    night, billed, connection: Connection, paystack: PaystackStandIn, status: str, doubt: str
) -> None:
    (made,) = paystack.payment_requests
    invoice = set_status(connection, status)
    if status == "PAID":
        a_transaction(connection, invoice, 8500.0)
    paystack.pay(made.request_code)
    before = payments(connection)

    first, second = night(), night()

    assert (said(first), first.success, check_of(first)) == ({"undecided": 1}, False, False)
    assert doubt in failure_of(first)
    assert (said(second), second.success, check_of(second)) == (
        {"waiting for a person": 1},
        True,
        False,
    )
    assert payments(connection) == before
    assert invoices(connection) == [(status, made.request_code)]


@pytest.mark.parametrize(("decision", "rows"), [("leave", 1), ("record", 2)])
def test_a_person_decides_and_is_not_asked_again(
    night, run, billed, connection: Connection, paystack: PaystackStandIn, decision, rows
) -> None:
    (made,) = paystack.payment_requests
    invoice = set_status(connection, "PAID")
    a_transaction(connection, invoice, 8500.0)
    paystack.pay(made.request_code)
    night()

    said_so = {"invoice_id": invoice, "decision": decision, "reason": "seen on the statement"}
    assert run("decide_payment", {"decide": said_so}).success

    assert len(payments(connection)) == rows
    after = night()
    assert (said(after), after.success, check_of(after)) == ({}, True, True)


def test_a_decision_about_an_invoice_without_a_question_is_refused(run, billed) -> None:
    said_so = {"invoice_id": "nobody", "decision": "leave", "reason": "a slip"}

    result = run("decide_payment", {"decide": said_so})

    assert not result.success
    assert "nothing is to be decided about an invoice nobody" in failure_of(result)


def test_an_invoice_that_is_open_for_long_is_asked_about_and_another_one_the_next_night(
    night, billed, connection: Connection, paystack: PaystackStandIn
) -> None:
    """Paid long after the nights have stopped to list its request; the message was lost."""
    (made,) = paystack.payment_requests
    connection.execute(text("""UPDATE invoice SET "dueDate" = "dueDate" - 400"""))
    paystack.pay(made.request_code)
    later = str(today() + timedelta(days=200))

    result = night(since=later, as_of=later)

    assert said(result) == {"marked paid": 1}
    assert payments(connection) == [(8500.0, made.transactions[0]["reference"])]


def test_what_was_asked_about_longest_ago_comes_first(engine: Engine, connection, lease) -> None:
    old = today() - timedelta(days=100)
    first, second = (
        an_invoice(connection, lease().lease_id, old - timedelta(days=n)) for n in (1, 0)
    )
    with engine.begin() as ours:
        assert [i for i, _ in questions.open_for_long(ours, today(), 1)] == [first]
        questions.remember_asked(ours, [first])
        assert [i for i, _ in questions.open_for_long(ours, today(), 1)] == [second]
        assert [i for i, _ in questions.open_for_long(ours, today(), 9)] == [second, first]


def test_a_payment_while_the_request_is_archived_is_seen(
    night, billed, connection: Connection, paystack: PaystackStandIn
) -> None:
    (made,) = paystack.payment_requests
    a_transaction(connection, set_status(connection, "PAID"), 8500.0)
    night()
    paystack.pay(made.request_code)

    assert said(night()) == {"undecided": 1}


def test_a_new_invoice_looks_as_if_leaseup_had_written_it(
    billed, connection: Connection, paystack: PaystackStandIn
) -> None:
    (made,) = paystack.payment_requests
    row = connection.execute(text('SELECT "offlineReference", "lineItems" FROM invoice')).one()

    assert row[0] == made.offline_reference
    assert row[1] == [{"name": "Rent", "quantity": 1, "rate": 8500, "amount": 8500}]


def test_a_night_completes_what_an_earlier_release_made_and_nothing_else(
    night, billed, connection: Connection, paystack: PaystackStandIn
) -> None:
    (made,) = paystack.payment_requests
    old = '[{"name": "Rent", "amount": 8500}]'
    connection.execute(
        text('UPDATE invoice SET "offlineReference" = NULL, "lineItems" = CAST(:old AS jsonb)'),
        {"old": old},
    )
    before = connection.execute(text('SELECT "updatedAt" FROM invoice')).scalar_one()
    theirs = connection.execute(
        text(
            """INSERT INTO invoice (id, "tenantId", "landlordId", description, "dueAmount",
                   category, status, "paystackId", "lineItems", "updatedAt")
               SELECT 'theirs', "tenantId", "landlordId", description, "dueAmount", category,
                      status, "paystackId", "lineItems", "updatedAt" FROM invoice
               RETURNING id"""
        )
    ).scalar_one()

    assert night().success

    rows = {
        row.id: (row.offline, row.items, row.updated)
        for row in connection.execute(
            text(
                'SELECT id, "offlineReference" AS offline, "lineItems" AS items,'
                ' "updatedAt" AS updated FROM invoice'
            )
        )
    }
    assert rows.pop(theirs)[1] == [{"name": "Rent", "amount": 8500}]
    items = [{"name": "Rent", "quantity": 1, "rate": 8500, "amount": 8500}]
    assert list(rows.values()) == [(made.offline_reference, items, before)]
