"""create_invoice: one month of one lease, because a person asked for it."""

from collections.abc import Callable
from datetime import date

import dagster as dg
import pytest
from sqlalchemy import Connection, text

from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.sandbox.builders import an_invoice
from leaseup_dagster.sandbox.paystack import PaystackStandIn

Lease = Callable[..., LedgerKey]
Create = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def create(run: Callable[..., dg.ExecuteInProcessResult]) -> Create:
    def launch(lease_id: str, **config: object) -> dg.ExecuteInProcessResult:
        values = {"as_of": "2026-11-24", "lease_id": lease_id} | config
        return run("create_invoice", {"plan_one_invoice": values})

    return launch


def error_of(result: dg.ExecuteInProcessResult) -> str:
    (failure,) = [e for e in result.all_events if e.is_step_failure]
    return str(failure.event_specific_data.error.message)


def due_dates(paystack: PaystackStandIn) -> list[str]:
    return [str(request.due_date)[:10] for request in paystack.payment_requests]


def test_the_next_due_date_is_billed_unless_another_is_named(
    create: Create, paystack: PaystackStandIn, due_lease: Lease
) -> None:
    lease = due_lease().lease_id

    assert create(lease).success
    assert create(lease, due_date="2027-06-01").success
    assert due_dates(paystack) == ["2026-12-01", "2027-06-01"]


def test_asking_twice_bills_once(
    create: Create, paystack: PaystackStandIn, due_lease: Lease
) -> None:
    lease = due_lease().lease_id

    assert create(lease).success
    assert create(lease).success
    assert len(paystack.payment_requests) == 1


def test_an_invoice_whose_due_date_was_moved_is_not_billed_again_as_cancelled(
    create: Create, paystack: PaystackStandIn, connection: Connection, due_lease: Lease
) -> None:
    lease = due_lease().lease_id
    create(lease)
    connection.execute(text("UPDATE invoice SET \"dueDate\" = '2026-12-05'"))

    assert create(lease, rebill=True).success
    assert len(paystack.payment_requests) == 1


def test_only_the_lease_asked_for_is_billed(
    create: Create, paystack: PaystackStandIn, due_lease: Lease, plan: Callable[[], object]
) -> None:
    due_lease()
    plan()
    asked = due_lease().lease_id

    create(asked)

    (made,) = paystack.payment_requests
    assert (made.metadata or {})["lease_id"] == asked


def test_a_lease_without_automatic_invoicing_can_be_billed_by_hand(
    create: Create, paystack: PaystackStandIn, due_lease: Lease
) -> None:
    assert create(due_lease(automaticInvoice=False).lease_id).success
    assert len(paystack.payment_requests) == 1


def test_another_invoice_within_three_days_does_not_block_a_person(
    create: Create, paystack: PaystackStandIn, connection: Connection, due_lease: Lease
) -> None:
    lease = due_lease().lease_id
    an_invoice(connection, lease, date(2026, 11, 30))

    assert create(lease).success
    assert len(paystack.payment_requests) == 1


@pytest.mark.parametrize(
    ("values", "config", "message"),
    [
        ({}, {"lease_id": "nobody"}, "There is no lease 'nobody' in LeaseUp"),
        ({}, {"due_date": "2026-12-02"}, "2026-12-02 is not a due date of lease"),
        ({}, {"due_date": "2025-12-01"}, "2025-12-01 is not a due date of lease"),
        ({"status": "ENDED"}, {}, "The lease is not ACTIVE"),
        ({"endDate": date(2026, 11, 30)}, {}, "The lease ends before this due date"),
        ({"rent": float("nan")}, {}, "The rent is not an amount"),
        ({"rent": 0}, {}, "The rent is not an amount"),
        ({"rentDueCurrency": "USD"}, {}, "Set the lease's currency to ZAR"),
        ({"unit": None}, {}, "The lease has no unit"),
    ],
)
def test_what_cannot_be_billed_is_refused_with_what_to_do(
    create: Create, paystack: PaystackStandIn, due_lease: Lease,
    values: dict[str, object], config: dict[str, str], message: str,
) -> None:  # fmt: skip
    lease = due_lease(**values).lease_id

    result = create(config.pop("lease_id", lease), **config)

    assert message in error_of(result)
    assert paystack.requests == []


def test_a_cancelled_month_is_billed_again_only_on_request(
    create: Create, paystack: PaystackStandIn, connection: Connection, due_lease: Lease
) -> None:
    lease = due_lease().lease_id
    create(lease)
    connection.execute(text("UPDATE invoice SET status = 'CANCELLED'"))

    refused = create(lease)
    again = create(lease, rebill=True)
    once_more = create(lease, rebill=True)

    assert "launch create_invoice with rebill: true" in error_of(refused)
    assert again.success
    assert once_more.success
    first, second = paystack.payment_requests
    assert (first.metadata or {})["reference"] != (second.metadata or {})["reference"]
    assert connection.execute(text("SELECT count(*) FROM invoice")).scalar() == 2
