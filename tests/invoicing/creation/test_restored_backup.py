"""The database is an older copy of itself, Paystack is not: nobody is billed a second time.

A backup was restored between two runs, or a standby that lacks the last seconds took over in one.
"""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import dagster as dg
import pytest
from sqlalchemy import Connection, text

from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.invoicing.rules.references import reference_in, reference_of
from leaseup_dagster.paystack.models import PaymentRequest
from leaseup_dagster.sandbox.builders import an_invoice
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from tests.invoicing.test_jobs import failure_of, report_of, states

AS_OF = {"as_of": "2026-11-24"}
CHECK = ("check_upcoming_invoices", {"plan_invoices": AS_OF})
LEDGER = "leaseup_dagster.invoice_ledger"
LIST, CREATE = "GET /paymentrequest", "POST /paymentrequest"

Run = Callable[..., dg.ExecuteInProcessResult]
Lease = Callable[..., LedgerKey]


def hours_pass(connection: Connection, paystack: PaystackStandIn, hours: int) -> None:
    """What was done so far was done so long ago."""
    earlier = f"attempted_at = attempted_at - interval '{hours} hours'"
    connection.execute(text(f"UPDATE {LEDGER} SET {earlier}"))
    paystacks_clock_goes_back(connection, paystack, timedelta(hours=hours))


def paystacks_clock_goes_back(
    connection: Connection, paystack: PaystackStandIn, behind: timedelta
) -> None:
    """What Paystack made so far is dated so much earlier, in its books and in its answers."""
    earlier = f"UPDATE {LEDGER} SET made_at = made_at - CAST(:behind AS interval)"
    connection.execute(text(earlier), {"behind": behind})
    for request in paystack.payment_requests:
        request.created_at -= behind


def assert_all_are_billed_once(
    connection: Connection, paystack: PaystackStandIn, leases: int
) -> None:
    live = [request for request in paystack.payment_requests if not request.archived]
    assert len(live) == leases
    codes = connection.execute(text('SELECT "paystackId" FROM invoice')).scalars()
    assert Counter(codes) == Counter(request.request_code for request in live)
    assert states(connection) == {"invoiced": leases}


@pytest.mark.parametrize("metadata", [True, False], ids=["with metadata", "by its description"])
def test_restored_to_before_the_first_run(
    run: Run, backup, due_lease: Lease, connection: Connection, paystack: PaystackStandIn,
    metadata: bool,
) -> None:  # fmt: skip
    paystack.habits.stores_metadata = metadata
    for _ in range(12):
        due_lease()
    restore = backup()
    run(*CHECK)
    restore()
    paystack.requests.clear()

    result = run(*CHECK)

    assert result.success
    assert (report_of(result)["billed invoices"], report_of(result)["found at Paystack"]) == (
        12,
        "12",
    )
    assert paystack.requests_to(CREATE) == []
    assert_all_are_billed_once(connection, paystack, leases=12)


def test_restored_to_the_middle_of_a_month(
    run: Run, backup, due_lease: Lease, connection: Connection, paystack: PaystackStandIn
) -> None:
    """The copy knows the first of two days; both are billed, and new leases were added since."""
    for _ in range(4):
        due_lease()
    run(*CHECK)
    hours_pass(connection, paystack, 24)
    for _ in range(5):
        due_lease()
    restore = backup()
    run(*CHECK)
    restore()
    due_lease()
    paystack.requests.clear()

    result = run(*CHECK)

    assert (report_of(result)["billed invoices"], report_of(result)["found at Paystack"]) == (
        6,
        "5",
    )
    assert len(paystack.requests_to(CREATE)) == 1
    assert_all_are_billed_once(connection, paystack, leases=10)


def test_restored_to_the_middle_of_a_run(
    run: Run, backup, due_lease: Lease, connection: Connection, paystack: PaystackStandIn
) -> None:
    """Of one batch the copy has some as sent and some as still to be sent."""
    keys = [due_lease() for _ in range(6)]
    for key in keys[:3]:
        refusal = Fault.refuse(400, "Not now")
        paystack.faults.on_create(refusal, matching=f'"lease_id":"{key.lease_id}"')
    run(*CHECK)
    restore = backup()
    run(*CHECK)
    restore()

    assert run(*CHECK).success
    assert_all_are_billed_once(connection, paystack, leases=6)


def test_one_invoice_made_by_hand_right_after_does_not_hide_the_others(
    run: Run, backup, due_lease: Lease, connection: Connection, paystack: PaystackStandIn
) -> None:
    """It moves the last claim to now; what was lost before it must be known by then."""
    for _ in range(5):
        due_lease()
    restore = backup()
    run(*CHECK)
    hours_pass(connection, paystack, 5)
    restore()
    new = due_lease()

    by_hand = run("create_invoice", {"plan_one_invoice": AS_OF | {"lease_id": new.lease_id}})

    assert by_hand.success
    assert states(connection) == {"requesting": 5, "invoiced": 1}
    assert run(*CHECK).success
    assert_all_are_billed_once(connection, paystack, leases=6)


def test_a_night_of_reconciliation_cut_short_does_not_hide_the_others(
    run: Run, backup, due_lease: Lease, connection: Connection, paystack: PaystackStandIn
) -> None:
    """What it adopts was not sent by us: it does not move the last claim."""
    keys = [due_lease() for _ in range(5)]
    restore = backup()
    run(*CHECK)
    restore()
    fetch, unlucky = "GET /paymentrequest/:code", paystack.payment_requests[:4]
    for request in unlucky:
        request.created_at -= timedelta(hours=5)
        paystack.faults.on(fetch, Fault.status(500), matching=request.request_code, times=4)
    run("reconcile_payment_requests", {"cut_into_weeks": {"since": "2026-11-20"}})
    assert states(connection) == {"invoiced": 1}

    assert run(*CHECK).success
    assert_all_are_billed_once(connection, paystack, leases=len(keys))


@pytest.mark.parametrize(
    "fault", [Fault.status(503), Fault.truncated()],
    ids=["503", "garbled"],
)  # fmt: skip
def test_nothing_is_sent_while_paystack_cannot_be_asked(
    run: Run, due_lease: Lease, connection: Connection, paystack: PaystackStandIn, fault: Fault
) -> None:
    key = due_lease()
    paystack.faults.on_list(fault, times=None)

    result = run(*CHECK)

    assert not result.success
    assert f"lease_id={key.lease_id} due_date=2026-12-01 (planned): Nothing was sent: Paystack" in (
        failure_of(result)
    )
    assert (paystack.payment_requests, states(connection)) == ([], {"planned": 1})
    paystack.faults.clear()
    assert run(*CHECK).success


@pytest.fixture
def large_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than three payment requests are listed in parts, all at once."""
    monkeypatch.setattr("leaseup_dagster.invoicing.creation.orphans._ONE_LISTING", 3)


@pytest.mark.usefixtures("large_look")
def test_a_first_look_over_much_finds_all(
    run: Run, due_lease: Lease, connection: Connection, paystack: PaystackStandIn, backup
) -> None:
    for _ in range(8):
        due_lease()
    restore = backup()
    run(*CHECK)
    restore()

    assert run(*CHECK).success
    assert_all_are_billed_once(connection, paystack, leases=8)


@pytest.mark.usefixtures("large_look")
def test_a_look_over_much_of_one_morning_finds_all(
    run: Run, due_lease: Lease, connection: Connection, paystack: PaystackStandIn, backup
) -> None:
    due_lease()
    run(*CHECK)
    restore = backup()
    for _ in range(8):
        due_lease()
    run(*CHECK)
    for number, request in enumerate(paystack.payment_requests[1:]):
        request.created_at -= timedelta(seconds=70 * number)
    restore()
    paystack.requests.clear()

    result = run(*CHECK)

    assert report_of(result)["found at Paystack"] == "8"
    assert_all_are_billed_once(connection, paystack, leases=9)
    listings = {seen.query.get("from") for seen in paystack.requests_to(LIST)}
    assert len(listings) > 8


def test_an_ordinary_morning_costs_one_look_and_a_run_with_nothing_to_do_none(
    run: Run, due_lease: Lease, connection: Connection, paystack: PaystackStandIn
) -> None:
    due_lease()
    run(*CHECK)
    hours_pass(connection, paystack, 24)
    due_lease()
    paystack.requests.clear()

    run(*CHECK)
    run(*CHECK)

    assert Counter(seen.endpoint for seen in paystack.requests) == {LIST: 1, CREATE: 1}


@pytest.mark.parametrize("hours", [3, -3], ids=["behind", "ahead"])
def test_paystacks_clock_may_be_wrong(
    run: Run, backup, due_lease: Lease, connection: Connection, paystack: PaystackStandIn,
    hours: int,
) -> None:  # fmt: skip
    behind = timedelta(hours=hours)
    due_lease()
    run(*CHECK)
    paystacks_clock_goes_back(connection, paystack, behind)
    restore = backup()
    orphaned = due_lease()
    run(*CHECK)
    paystack.payment_requests[-1].created_at -= behind
    restore()

    result = run(*CHECK)

    assert report_of(result)["found at Paystack"] == "1", orphaned
    assert_all_are_billed_once(connection, paystack, leases=2)


@pytest.mark.parametrize("made_at", ["made_at + interval '5 minutes'", "NULL"])
def test_a_date_from_the_future_or_none_does_not_hide_what_is_forgotten(
    run: Run, backup, due_lease: Lease, connection: Connection, paystack: PaystackStandIn,
    made_at: str,
) -> None:  # fmt: skip
    """One of Paystack's machines is ahead, or the row is of an older release."""
    due_lease()
    run(*CHECK)
    connection.execute(text(f"UPDATE {LEDGER} SET made_at = {made_at}"))
    restore = backup()
    due_lease()
    run(*CHECK)
    restore()

    assert report_of(run(*CHECK))["found at Paystack"] == "1"
    assert_all_are_billed_once(connection, paystack, leases=2)


def test_a_forgotten_month_that_leaseup_invoiced_itself_is_left_to_the_reconciliation(
    run: Run, backup, due_lease: Lease, connection: Connection, paystack: PaystackStandIn
) -> None:
    key = due_lease()
    restore = backup()
    run(*CHECK)
    restore()
    an_invoice(connection, key.lease_id, key.due_date)
    due_lease()

    run(*CHECK)

    assert states(connection) == {"invoiced": 1}
    assert len(paystack.requests_to(CREATE)) == 2


def test_the_reference_is_the_one_the_plan_derives(
    planned: LedgerKey, connection: Connection
) -> None:
    sql = f"SELECT reference, description FROM {LEDGER}"
    reference, description = connection.execute(text(sql)).one()

    assert reference == reference_of(planned, 1)
    made = {"id": 1, "request_code": "PRQ_1", "amount": 1, "description": description}
    assert reference_in(PaymentRequest.model_validate(made)) == reference


@pytest.mark.parametrize(
    "description", ["", "Rent, ref LU-123", "LU-0123456789ABCDEF0123X", "xLU-0123456789ABCDEF0123"]
)
def test_what_only_looks_like_a_reference_is_none(description: str) -> None:
    made = {"id": 1, "request_code": "PRQ_1", "amount": 1, "description": description}

    assert reference_in(PaymentRequest.model_validate(made)) is None
