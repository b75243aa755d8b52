"""What a reconciliation leaves to a person: it is listed, and nothing else is done about it."""

from sqlalchemy import Connection, text

from leaseup_dagster.sandbox.paystack import PaystackStandIn
from tests.reconciliation.conftest import failure_of, invoices, report_of, said


def test_a_month_paid_twice_is_for_a_person_until_one_is_given_back(
    night, billed, a_request, paystack: PaystackStandIn, connection: Connection
) -> None:
    (own,) = paystack.payment_requests
    second = a_request(billed)
    for made in (own, second):
        paystack.pay(made.request_code)

    result = night()

    assert not result.success
    assert said(result) == {"marked paid": 1, "undecided": 1}
    assert f"paid more than once ({second.request_code})" in failure_of(result)
    second.transactions[0]["status"] = "reversed"
    assert night().success


def test_what_is_paid_in_part_is_never_archived(
    night, billed, a_request, paystack: PaystackStandIn
) -> None:
    part = a_request(billed)
    paystack.pay(part.request_code, 100_000)

    result = night()

    assert said(result) == {"undecided": 1}
    assert not part.archived


def test_an_amount_that_differs_is_listed_and_nothing_else(
    night, billed, connection: Connection, paystack: PaystackStandIn
) -> None:
    connection.execute(text('UPDATE invoice SET "dueAmount" = 9000'))

    result = night()

    assert result.success
    assert said(result) == {"amount differs": 1}
    (row,) = report_of(result)["amounts that differ"].records
    assert row.data["lease"] == billed.lease_id
    assert "900000 cents" in row.data["why"]


def test_a_lease_without_a_tenant_cannot_have_the_invoice(
    night, lease, a_request, connection: Connection, paystack: PaystackStandIn
) -> None:
    made = a_request(lease())
    connection.execute(text("DELETE FROM tenant_lease"))

    result = night()

    assert said(result) == {"undecided": 1}
    assert "no tenant" in failure_of(result)
    assert (invoices(connection), made.archived) == ([], False)
