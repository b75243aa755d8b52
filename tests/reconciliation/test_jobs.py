"""A night's reconciliation: what it repairs, what it leaves alone, what it leaves to a person."""

from collections import Counter
from datetime import datetime, timezone

import dagster as dg
import pytest
from sqlalchemy import Connection, text

from leaseup_dagster.reconciliation.jobs import reconciliation_at_two
from leaseup_dagster.sandbox.builders import an_invoice
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from tests.reconciliation.conftest import (
    LEDGER,
    invoices,
    payments,
    report_of,
    said,
)


def forget(connection: Connection) -> None:
    """As after a restored backup: neither the ledger nor LeaseUp knows what was billed."""
    connection.execute(text("DELETE FROM invoice"))
    connection.execute(text(f"DELETE FROM {LEDGER}"))


def test_books_that_agree_cost_one_request_a_day(night, billed, paystack: PaystackStandIn) -> None:
    paystack.requests.clear()

    result = night()

    assert result.success
    assert said(result) == {}
    assert (report_of(result)["payment requests of ours"], report_of(result)["days compared"]) == (
        1,
        4,
    )
    assert Counter(seen.endpoint for seen in paystack.requests) == {"GET /paymentrequest": 4}


@pytest.mark.parametrize("metadata", [True, False], ids=["with metadata", "by its description"])
def test_a_request_nobody_remembers_gets_its_invoice(
    night, lease, a_request, connection: Connection, paystack: PaystackStandIn, metadata: bool
) -> None:
    paystack.habits.stores_metadata = metadata
    key = lease()
    made = a_request(key)

    result = night()

    assert said(result) == {"adopted": 1}
    assert invoices(connection) == [("PENDING", made.request_code)]
    row = connection.execute(text(f"SELECT state, adopted, lease_id, due_date FROM {LEDGER}")).one()
    assert tuple(row) == ("invoiced", True, key.lease_id, key.due_date)


@pytest.mark.parametrize("state", ["planned", "refused", "cancelled"])
def test_an_orphan_is_adopted_whatever_the_ledger_thought(
    night, run, lease, a_request, connection: Connection, paystack: PaystackStandIn, state: str
) -> None:
    key = lease()
    paystack.faults.on_create(Fault.refuse(400, "no"), times=None)
    run("check_upcoming_invoices")
    connection.execute(text(f"UPDATE {LEDGER} SET state = '{state}'"))
    made = a_request(key)

    assert said(night()) == {"adopted": 1}
    assert invoices(connection) == [("PENDING", made.request_code)]


def test_an_unpaid_duplicate_is_archived_and_the_invoices_own_stays(
    night, billed, a_request, paystack: PaystackStandIn, connection: Connection
) -> None:
    (own,) = paystack.payment_requests
    duplicate = a_request(billed)

    assert said(night()) == {"archived": 1}
    assert (own.archived, duplicate.archived) == (False, True)
    assert said(night()) == {}


def test_of_orphans_the_oldest_stays(night, lease, a_request, connection: Connection) -> None:
    key = lease()
    oldest, *others = [a_request(key) for _ in range(3)]

    assert said(night()) == {"adopted": 1, "archived": 2}
    assert invoices(connection) == [("PENDING", oldest.request_code)]
    assert [made.archived for made in (oldest, *others)] == [False, True, True]


def test_of_orphans_a_paid_one_stays(
    night, lease, a_request, paystack: PaystackStandIn, connection: Connection
) -> None:
    key = lease()
    older, paid = a_request(key), a_request(key)
    paystack.pay(paid.request_code)

    assert said(night()) == {"adopted": 1, "marked paid": 1, "archived": 1}
    assert invoices(connection) == [("PAID", paid.request_code)]
    assert payments(connection) == [(8500.0, paid.transactions[0]["reference"])]
    assert older.archived


def test_a_paid_duplicate_pays_the_invoice_whose_own_request_is_archived(
    night, billed, a_request, paystack: PaystackStandIn, connection: Connection
) -> None:
    """Left open, the invoice's own request could be paid a second time."""
    (own,) = paystack.payment_requests
    paid = a_request(billed)
    paystack.pay(paid.request_code)

    assert said(night()) == {"marked paid": 1, "archived": 1}
    assert invoices(connection) == [("PAID", own.request_code)]
    assert payments(connection) == [(8500.0, paid.transactions[0]["reference"])]
    assert (own.archived, paid.archived) == (True, False)
    assert said(night()) == {}


def test_a_payment_whose_message_was_lost_is_recorded_once(
    night, billed, paystack: PaystackStandIn, connection: Connection
) -> None:
    (own,) = paystack.payment_requests
    paystack.pay(own.request_code)

    first, second = night(), night()

    assert (said(first), said(second)) == ({"marked paid": 1}, {})
    assert invoices(connection) == [("PAID", own.request_code)]
    assert payments(connection) == [(8500.0, own.transactions[0]["reference"])]


def test_what_is_not_ours_is_never_touched(
    night, billed, a_request, paystack: PaystackStandIn, connection: Connection
) -> None:
    """LeaseUp's own, another application's, and those of another LeaseUp on this integration."""
    foreign = [
        a_request(billed, description="Deposit", metadata=None),
        a_request(billed, description="Invoice 7", metadata={"reference": "7"}),
        a_request(type(billed)(billed.due_date, "lease-of-somebody-else")),
    ]
    paystack.requests.clear()

    result = night()

    assert result.success
    assert said(result) == {"of no lease here": 1}
    assert not any(made.archived for made in foreign)
    assert len(invoices(connection)) == 1
    assert {seen.endpoint for seen in paystack.requests} == {"GET /paymentrequest"}


def test_an_orphan_beside_leaseups_own_invoice_of_the_month_is_archived(
    night, lease, a_request, connection: Connection
) -> None:
    key = lease()
    an_invoice(connection, key.lease_id, key.due_date)
    orphan = a_request(key)

    assert said(night()) == {"archived": 1}
    assert orphan.archived
    assert len(invoices(connection)) == 1


def test_the_request_of_a_cancelled_billing_is_archived_when_the_month_was_billed_again(
    night, run, billed, paystack: PaystackStandIn, connection: Connection
) -> None:
    connection.execute(text("UPDATE invoice SET status = 'CANCELLED'"))
    month = {"lease_id": billed.lease_id, "due_date": str(billed.due_date), "rebill": True}
    assert run("create_invoice", {"plan_one_invoice": month}).success
    first, second = paystack.payment_requests

    assert said(night()) == {"archived": 1}
    assert (first.archived, second.archived) == (True, False)
    assert said(night()) == {}


def test_an_archived_orphan_becomes_a_cancelled_invoice(
    night, lease, a_request, connection: Connection, paystack: PaystackStandIn
) -> None:
    made = a_request(lease())
    paystack.archive(made.request_code)

    assert said(night()) == {"adopted": 1}
    assert invoices(connection) == [("CANCELLED", made.request_code)]
    assert said(night()) == {}


def test_orphans_on_many_pages_are_all_found(
    night, lease, a_request, connection: Connection, paystack: PaystackStandIn
) -> None:
    paystack.habits.largest_page = 3
    made = {a_request(lease()).request_code for _ in range(10)}

    assert said(night()) == {"adopted": 10}
    assert {code for _, code in invoices(connection)} == made


def test_the_window_reaches_back_to_months_billed_early_and_paid_late(night) -> None:
    result = night(since="")

    assert report_of(result)["days compared"] == 50 + 45 + 1


@pytest.mark.parametrize(
    ("tick", "day"),
    [
        (datetime(2026, 11, 24, 0, tzinfo=timezone.utc), "2026-11-24"),
        (datetime(2026, 11, 24, 22, 30, tzinfo=timezone.utc), "2026-11-25"),
    ],
)
def test_the_schedule_reconciles_up_to_its_own_day(tick: datetime, day: str) -> None:
    request = reconciliation_at_two(dg.build_schedule_context(scheduled_execution_time=tick))

    assert request.run_config == {"ops": {"cut_into_weeks": {"config": {"as_of": day}}}}
    assert reconciliation_at_two.execution_timezone == "Africa/Johannesburg"
    assert reconciliation_at_two.default_status is dg.DefaultScheduleStatus.RUNNING
