"""What a later run makes of a month without an answer: it searches for it before anything else."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection, text

from leaseup_dagster.invoicing.creation.protocol import InvoiceCreation, Kind
from leaseup_dagster.invoicing.keys import InvoiceResult, LedgerKey
from leaseup_dagster.invoicing.ledger.queries import Unanswered
from leaseup_dagster.sandbox.builders import an_invoice
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from tests.invoicing.creation.test_protocol import invoices


def test_a_request_whose_answer_was_lost_is_adopted_not_sent_again(
    connection: Connection,
    paystack: PaystackStandIn,
    creation: InvoiceCreation,
    planned: LedgerKey,
    found_unanswered: Callable[..., Unanswered],
) -> None:
    paystack.faults.on_create(Fault.drop_after_accepting())
    creation.bill(planned)

    outcome = creation.look_up(found_unanswered())

    (made,), (row,) = paystack.payment_requests, invoices(connection)
    assert outcome.kind is Kind.ADOPTED
    assert row["paystackId"] == made.request_code


@pytest.mark.parametrize("stores_metadata", [True, False])
def test_it_is_found_by_metadata_or_by_description(
    paystack: PaystackStandIn,
    creation: InvoiceCreation,
    planned: LedgerKey,
    found_unanswered: Callable[..., Unanswered],
    stores_metadata: bool,
) -> None:
    paystack.habits.stores_metadata = stores_metadata
    paystack.faults.on_create(Fault.drop_after_accepting())
    creation.bill(planned)

    assert creation.look_up(found_unanswered()).kind is Kind.ADOPTED


def test_what_is_not_in_the_list_yet_is_left_until_it_has_settled(
    paystack: PaystackStandIn,
    creation: InvoiceCreation,
    planned: LedgerKey,
    found_unanswered: Callable[..., Unanswered],
) -> None:
    paystack.habits.list_delay = float("inf")
    paystack.faults.on_create(Fault.drop_after_accepting())
    creation.bill(planned)

    assert creation.look_up(found_unanswered()).kind is Kind.UNANSWERED
    paystack.reveal()
    assert creation.look_up(found_unanswered()).kind is Kind.ADOPTED
    assert len(paystack.payment_requests) == 1


def test_one_accepted_long_after_the_attempt_is_found_also_without_its_customer(
    paystack: PaystackStandIn,
    creation: InvoiceCreation,
    planned: LedgerKey,
    found_unanswered: Callable[..., Unanswered],
) -> None:
    paystack.faults.on_create(Fault.drop_after_accepting())
    creation.bill(planned)
    attempt = found_unanswered(settled=True)
    paystack.faults.on("GET /customer/:code", Fault.refuse(404, "Customer not found"))

    a_day_earlier = replace(attempt, attempted_at=attempt.attempted_at - timedelta(days=1))

    assert creation.look_up(a_day_earlier).kind is Kind.ADOPTED
    assert len(paystack.payment_requests) == 1


def test_what_never_arrived_is_sent_again_once_settled(
    paystack: PaystackStandIn,
    creation: InvoiceCreation,
    planned: LedgerKey,
    found_unanswered: Callable[..., Unanswered],
    stands: Callable[[], InvoiceResult],
) -> None:
    paystack.faults.on_create(Fault.drop_before_accepting())
    creation.bill(planned)

    assert creation.look_up(found_unanswered(settled=True)).kind is Kind.PLANNED_AGAIN
    assert creation.bill(planned).kind is Kind.CREATED
    assert (len(paystack.payment_requests), stands().state) == (1, "invoiced")


def test_a_look_that_fails_decides_nothing(
    paystack: PaystackStandIn,
    creation: InvoiceCreation,
    planned: LedgerKey,
    found_unanswered: Callable[..., Unanswered],
) -> None:
    paystack.faults.on_create(Fault.drop_before_accepting())
    creation.bill(planned)
    paystack.faults.on_list(Fault.status(503))

    assert creation.look_up(found_unanswered(settled=True)).kind is Kind.UNANSWERED
    assert paystack.payment_requests == []


def test_one_that_a_person_archived_meanwhile_becomes_a_cancelled_invoice(
    connection: Connection,
    paystack: PaystackStandIn,
    creation: InvoiceCreation,
    planned: LedgerKey,
    found_unanswered: Callable[..., Unanswered],
) -> None:
    paystack.faults.on_create(Fault.drop_after_accepting())
    creation.bill(planned)
    paystack.archive(paystack.payment_requests[0].request_code)

    creation.look_up(found_unanswered(settled=True))

    assert [row["status"] for row in invoices(connection)] == ["CANCELLED"]
    assert len(paystack.payment_requests) == 1


def test_an_invoice_that_the_application_has_for_the_request_is_not_made_twice(
    connection: Connection,
    paystack: PaystackStandIn,
    creation: InvoiceCreation,
    planned: LedgerKey,
    found_unanswered: Callable[..., Unanswered],
    stands: Callable[[], InvoiceResult],
) -> None:
    paystack.faults.on_create(Fault.drop_after_accepting())
    creation.bill(planned)
    code = paystack.payment_requests[0].request_code
    known = an_invoice(connection, planned.lease_id, planned.due_date, paystackId=code)

    creation.look_up(found_unanswered())

    assert stands().invoice_id == known
    assert len(invoices(connection)) == 1


@pytest.mark.parametrize("paid", [False, True])
def test_what_was_accepted_late_is_taken_back_when_leaseup_has_billed_the_month_meanwhile(
    connection: Connection,
    paystack: PaystackStandIn,
    creation: InvoiceCreation,
    planned: LedgerKey,
    found_unanswered: Callable[..., Unanswered],
    stands: Callable[[], InvoiceResult],
    paid: bool,
) -> None:
    """Money on it is for the reconciliation, which knows what to do with it."""
    paystack.faults.on_create(Fault.drop_after_accepting())
    creation.bill(planned)
    (made,) = paystack.payment_requests
    if paid:
        paystack.pay(made.request_code)
    an_invoice(connection, planned.lease_id, planned.due_date, paystackId="PRQ_another")

    assert creation.look_up(found_unanswered()).kind is Kind.CLAIMED_ELSEWHERE

    assert (stands().state, stands().error) == ("cancelled", "already_invoiced")
    assert len(invoices(connection)) == 1
    assert bool(made.archived) is not paid


def test_a_month_that_a_person_asked_for_is_adopted_beside_one_that_is_near(
    connection: Connection,
    paystack: PaystackStandIn,
    creation: InvoiceCreation,
    planned: LedgerKey,
    found_unanswered: Callable[..., Unanswered],
) -> None:
    paystack.faults.on_create(Fault.drop_after_accepting())
    creation.bill(planned)
    connection.execute(text("UPDATE leaseup_dagster.invoice_ledger SET by_hand = true"))
    near = planned.due_date - timedelta(days=2)
    an_invoice(connection, planned.lease_id, near, paystackId="PRQ_another")

    assert creation.look_up(found_unanswered()).kind is Kind.ADOPTED
