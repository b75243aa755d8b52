"""A reconciliation is killed at each of its steps, or Paystack fails it; the next one finishes."""

import signal
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Connection, text

from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.sandbox.paystack_books import StoredPaymentRequest
from tests.conftest import until
from tests.reconciliation.conftest import (
    LEDGER,
    NIGHT,
    failure_of,
    invoices,
    payments,
    report_of,
    said,
    today,
)

pytestmark = pytest.mark.faults

CONFIG = {"cut_into_weeks": {"since": str(today() - timedelta(days=1)), "as_of": str(today())}}
ARCHIVE = "POST /paymentrequest/archive/:code"
FETCH = "GET /paymentrequest/:code"


@pytest.fixture
def three(lease, a_request, paystack: PaystackStandIn) -> list[StoredPaymentRequest]:
    """One month with three orphans, of which the second is paid."""
    key: LedgerKey = lease()
    made = [a_request(key) for _ in range(3)]
    paystack.pay(made[1].request_code)
    return made


def assert_all_is_repaired(connection: Connection, three: list[StoredPaymentRequest]) -> None:
    assert invoices(connection) == [("PAID", three[1].request_code)]
    assert payments(connection) == [(8500.0, three[1].transactions[0]["reference"])]
    assert [made.archived for made in three] == [True, False, True]
    assert connection.execute(text(f"SELECT state FROM {LEDGER}")).scalars().all() == ["invoiced"]


@pytest.mark.parametrize(
    ("table", "event"),
    [
        pytest.param("invoice", "INSERT", id="before the invoice"),
        pytest.param("invoice", "UPDATE", id="before it is marked paid"),
    ],
)
def test_killed_while_the_database_is_written(
    start, gate, night, three, connection: Connection, table: str, event: str
) -> None:
    held = gate(table, event)
    child = start(NIGHT, CONFIG)
    held.wait_until_reached()

    child.kill()
    held.open()

    assert night().success
    assert_all_is_repaired(connection, three)


@pytest.mark.parametrize(
    ("endpoint", "fault"),
    [
        pytest.param(FETCH, Fault.hang_after_accepting, id="while it fetches"),
        pytest.param(ARCHIVE, Fault.hang_after_accepting, id="after an archiving"),
    ],
)
def test_killed_while_paystack_is_asked(
    start, night, three, connection: Connection, paystack: PaystackStandIn, endpoint: str,
    fault: Callable[[], Fault],
) -> None:  # fmt: skip
    silence = paystack.faults.on(endpoint, fault())
    child = start(NIGHT, CONFIG)
    assert silence.arrived.wait(30)

    child.kill()
    silence.abandon()

    assert night().success
    assert_all_is_repaired(connection, three)


def test_told_to_stop_no_further_request_leaves(
    start, night, three, connection: Connection, paystack: PaystackStandIn
) -> None:
    silence = paystack.faults.on(ARCHIVE, Fault.hang_before_accepting())
    child = start(NIGHT, CONFIG)
    assert silence.arrived.wait(30)

    child.send_signal(signal.SIGTERM)
    until(lambda: len(paystack.requests_to(ARCHIVE)) == 1)
    silence.release()

    assert child.wait(30) == 1
    assert len(paystack.requests_to(ARCHIVE)) == 1
    assert night().success
    assert_all_is_repaired(connection, three)


def test_two_reconciliations_at_once_repair_once(
    start, three, lease, a_request, connection: Connection
) -> None:
    others = [a_request(lease()) for _ in range(8)]

    children = [start(NIGHT, CONFIG), start(NIGHT, CONFIG)]

    assert [child.wait(60) for child in children] == [0, 0]
    assert len(invoices(connection)) == 1 + len(others)
    assert len(payments(connection)) == 1


@pytest.mark.parametrize(
    ("endpoint", "fault"),
    [
        ("GET /paymentrequest", Fault.status(503)),
        ("GET /paymentrequest", Fault.rate_limit(x_ratelimit_reset="0")),
        (FETCH, Fault.truncated()),
        (ARCHIVE, Fault.drop_after_accepting()),
        (ARCHIVE, Fault.status(503)),
    ],
    ids=["list 503", "list 429", "fetch garbled", "archive accepted, no answer", "archive 503"],
)
def test_what_fails_is_tried_again_in_the_same_run(
    night, three, connection: Connection, paystack: PaystackStandIn, endpoint: str, fault: Fault
) -> None:
    paystack.faults.on(endpoint, fault)

    result = night()

    assert result.success
    assert said(result).keys() == {"adopted", "marked paid", "archived"}
    assert_all_is_repaired(connection, three)


def test_what_stays_broken_fails_the_run_and_stops_nothing_else(
    night, three, lease, a_request, connection: Connection, paystack: PaystackStandIn
) -> None:
    other = a_request(lease())
    paystack.faults.on(ARCHIVE, Fault.status(500), times=None)

    result = night()

    assert not result.success
    assert said(result) == {"adopted": 2, "marked paid": 1, "failed": 1}
    assert "Paystack API error 500" in failure_of(result)
    assert ("PENDING", other.request_code) in invoices(connection)


def test_when_paystack_is_down_each_day_is_named(night, paystack: PaystackStandIn) -> None:
    paystack.stop()

    result = night()

    assert not result.success
    assert f"{today()} was not compared" in failure_of(result)


def test_out_of_time_the_days_left_are_told_and_nothing_is_asked(
    night, settings: pytest.MonkeyPatch, paystack: PaystackStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leaseup_dagster.reconciliation.ops.seconds_left", lambda *_: 0.0)

    result = night()

    assert report_of(result)["days left"] == 4
    assert paystack.requests == []
