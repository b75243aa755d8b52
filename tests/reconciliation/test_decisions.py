"""What is to be done about the payment requests of one month, case by case."""

import pytest

from leaseup_dagster.paystack.models import PaymentRequest
from leaseup_dagster.reconciliation.decisions import MonthInvoice, decide


def request(number: int, **fields: object) -> PaymentRequest:
    defaults = {"id": number, "request_code": f"PRQ_{number}", "amount": 850_000}
    return PaymentRequest.model_validate({**defaults, "archived": False, **fields})


def paid(number: int, status: str = "success") -> PaymentRequest:
    payment = {"reference": f"T{number}", "amount": 850_000, "status": status}
    return request(number, paid=True, transactions=[payment])


def invoice(code: str, status: str = "PENDING", *payments: str) -> MonthInvoice:
    return MonthInvoice(f"invoice-of-{code}", status, code, frozenset(payments))


def archived(decision: object) -> list[int]:
    return [request.id for request in decision.archive]


def test_the_oldest_of_several_is_adopted_and_the_rest_archived() -> None:
    decision = decide([request(3), request(1), request(2)], [])

    assert decision.adopt.id == 1
    assert archived(decision) == [3, 2]


def test_one_that_can_be_paid_is_adopted_before_an_archived_one() -> None:
    assert decide([request(1, archived=True), request(2)], []).adopt.id == 2


def test_money_decides_before_age() -> None:
    decision = decide([request(1), paid(2)], [])

    assert (decision.adopt.id, decision.pays.id, archived(decision)) == (2, 2, [1])


def test_the_invoices_own_is_kept_whatever_its_age() -> None:
    decision = decide([request(1), request(2)], [invoice("PRQ_2")])

    assert (decision.adopt, archived(decision)) == (None, [1])


def test_two_invoices_of_one_month_are_for_a_person() -> None:
    decision = decide([request(1)], [invoice("PRQ_1"), invoice("PRQ_9")])

    assert "2 invoices for the month" in decision.ask
    assert decision.archive == ()


def test_an_open_duplicate_is_not_archived_where_the_invoices_own_is_gone() -> None:
    """It is the only one that the tenant can pay."""
    decision = decide([request(1, archived=True), request(2)], [invoice("PRQ_1")])

    assert "another can be paid" in decision.ask
    assert decision.archive == ()


@pytest.mark.parametrize("status", ["PAID", "PENDING"])
def test_two_that_are_paid_are_told(status: str) -> None:
    decision = decide([paid(1), paid(2)], [invoice("PRQ_1", status, "T1")])

    assert "paid more than once" in decision.ask
    assert (decision.pays, decision.archive) == (None, ())


def test_what_was_recorded_or_given_back_is_settled() -> None:
    assert decide([request(1, archived=True), paid(2)], [invoice("PRQ_1", "PAID", "T2")]).ask == ""
    assert decide([paid(1), paid(2, "reversed")], [invoice("PRQ_1", "PAID", "T1")]).ask == ""


def test_money_on_a_cancelled_month_is_looked_at_on_its_invoice() -> None:
    cancelled = invoice("PRQ_1", "CANCELLED")

    decision = decide([paid(1)], [cancelled])

    assert decision.pays.id == 1
    assert decision.invoice_id == cancelled.invoice_id
    assert (decision.adopt, decision.archive) == (None, ())


def test_what_can_still_be_paid_of_a_cancelled_month_is_archived() -> None:
    decision = decide([request(1)], [invoice("PRQ_1", "CANCELLED")])

    assert [r.id for r in decision.archive] == [1]
    assert decision.pays is None


def test_a_cancelled_invoice_does_not_keep_a_later_billing_from_its_own() -> None:
    decision = decide([request(2)], [invoice("PRQ_1", "CANCELLED")])

    assert decision.adopt.id == 2
