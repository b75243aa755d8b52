"""Stop means stop: after a signal, or when the time is up, no further request leaves."""

import signal
import threading
from collections import Counter
from collections.abc import Callable

import dagster as dg
import pytest
from sqlalchemy import Connection, text

from leaseup_dagster.sandbox.builders import a_landlord, a_lease, a_tenant, a_unit
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.stopping import in_flight, stopping_with_its_run
from tests.processes import Child

CHECK = ("check_upcoming_invoices", {"plan_invoices": {"as_of": "2026-11-24"}})
LEDGER = "leaseup_dagster.invoice_ledger"


@pytest.fixture
def sixty_leases(connection: Connection, paystack: PaystackStandIn) -> None:
    from datetime import date

    landlord = a_landlord(connection)
    code = paystack.add_customer("thabo@example.com").customer_code
    tenant = a_tenant(connection, landlord, paystackCustomerId=code)
    for _ in range(60):
        home = a_unit(connection, landlord)
        a_lease(connection, start=date(2026, 1, 1), landlord=landlord, unit=home, tenants=[tenant])


def test_work_that_lasts_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leaseup_dagster.stopping.PROGRESS_SECONDS", 0)
    reported: list[int] = []
    gate, stop = threading.Event(), threading.Event()

    def act(item: int) -> int:
        if item:  # the last ones wait until it was said that the first is done
            assert gate.wait(10)
        return item

    def tell(done: int) -> None:
        reported.append(done)
        if done:
            gate.set()

    assert in_flight(act, range(3), width=3, stop=stop, on_progress=tell) == [0, 1, 2]
    assert 1 in reported
    assert reported == sorted(reported)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_told_to_stop_sends_nothing_more_and_records_what_is_in_flight(
    start: Callable[..., Child],
    sixty_leases: None,
    connection: Connection,
    paystack: PaystackStandIn,
    number: signal.Signals,
) -> None:
    """Asked to stop in the second batch, with a retry policy on every step.

    A plain RetryPolicy takes the signal for a failure and sends all the rest; this test is what
    holds `StoppableRetryPolicy`, and our reading of Dagster's internals, to the pinned release.
    """
    slow = Fault.hang_after_accepting()
    paystack.faults.on_create(Fault(), times=14)
    paystack.faults.on_create(slow)
    child = start(*CHECK)
    assert slow.arrived.wait(30)

    child.send_signal(number)
    slow.release()
    exit_code = child.wait(30)

    sent = len(paystack.requests_to("POST /paymentrequest"))
    states = Counter(connection.execute(text(f"SELECT state FROM {LEDGER}")).scalars())
    assert exit_code != 0
    assert sent <= 20
    assert states == {"invoiced": sent, "planned": 60 - sent}
    assert len(paystack.payment_requests) == sent


def test_when_the_time_is_up_the_rest_is_left(paystack: PaystackStandIn) -> None:
    stop = threading.Event()

    def act(item: int) -> str:
        return "left" if stop.wait(5 if item == 0 else 0) else "done"

    assert in_flight(act, range(3), width=1, stop=stop, seconds=0.01)[1:] == ["left", "left"]


def test_results_come_in_the_order_of_the_items() -> None:
    later = threading.Event()

    def act(item: int) -> int:
        if item == 0:
            assert later.wait(5)
        else:
            later.set()
        return item

    assert in_flight(act, range(4), width=2, stop=threading.Event()) == [0, 1, 2, 3]


def test_one_that_raises_lets_the_others_finish_first() -> None:
    done = []

    def act(item: int) -> None:
        if item == 0:
            raise LookupError("the first")
        done.append(item)

    with pytest.raises(LookupError, match="the first"):
        in_flight(act, range(4), width=1, stop=threading.Event())
    assert done == [1, 2, 3]


@pytest.fixture
def started(instance: dg.DagsterInstance) -> dg.DagsterRun:
    """A run whose steps may be anywhere."""

    @dg.job
    def anything() -> None: ...

    return instance.create_run_for_job(anything, status=dg.DagsterRunStatus.STARTED)


def test_a_step_elsewhere_stops_within_seconds_when_its_run_is_told_to(
    instance: dg.DagsterInstance, started: dg.DagsterRun
) -> None:
    stop = threading.Event()
    with stopping_with_its_run(stop, instance, started.run_id):
        assert not stop.is_set()
        instance.report_run_canceling(started)
        assert stop.wait(5)


def test_a_step_that_comes_after_its_run_has_ended_begins_nothing(
    instance: dg.DagsterInstance, started: dg.DagsterRun
) -> None:
    """As one does that a lost worker left in the queue."""
    instance.report_run_failed(started)
    stop = threading.Event()
    with stopping_with_its_run(stop, instance, started.run_id):
        assert stop.is_set()
