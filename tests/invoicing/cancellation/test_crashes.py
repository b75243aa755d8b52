"""SIGKILL between each two steps of a cancellation, and a second run: both places, or neither."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from leaseup_dagster.invoicing.cancellation.protocol import InvoiceCancellation, Kind
from leaseup_dagster.invoicing.creation.protocol import InvoiceCreation
from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.invoicing.ledger import cancelling
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from tests.conftest import until
from tests.invoicing.cancellation import child
from tests.invoicing.cancellation.test_jobs import (
    ARCHIVE,
    CANCELLED,
    FETCH,
    LEDGER,
    UNTOUCHED,
    ledger_row,
    stands,
)
from tests.processes import Child

pytestmark = pytest.mark.faults

Kill = Callable[[Callable[[], bool]], None]
Again = Callable[[], Kind]


@pytest.fixture
def billed(creation: InvoiceCreation, planned: LedgerKey) -> LedgerKey:
    creation.bill(planned)
    return planned


@pytest.fixture
def killed_when(database_url: str, paystack: PaystackStandIn, billed: LedgerKey) -> Kill:
    """Starts a cancellation in a process of its own; kills it as soon as `reached` says so."""

    def kill(reached: Callable[[], bool]) -> None:
        process = Child(child.run, database_url, paystack.url, billed, "wrong run")
        until(reached)
        process.kill()

    return kill


@pytest.fixture
def again(engine: Engine, creation: InvoiceCreation, billed: LedgerKey) -> Again:
    """The second run: what was asked for, or what the first one left."""

    def run() -> Kind:
        with engine.connect() as connection:
            chosen = cancelling.of_month(connection, billed, "wrong run")
        if chosen.already:
            return Kind.ALREADY_CANCELLED
        return InvoiceCancellation(engine, creation.paystack).cancel(chosen.invoices[0]).kind

    return run


@contextmanager
def held_up(connection: Connection, gate: Any, *place: str) -> Iterator[Callable[[], bool]]:
    """Whoever comes to `place` waits inside the block; yields whether somebody does."""
    held = gate(*place)
    waiting = text(
        "SELECT pid FROM pg_stat_activity"
        " WHERE wait_event = 'advisory' AND datname = current_database()"
    )
    yield lambda: connection.execute(waiting).first() is not None
    # What the killed process left waiting must not go on without it.
    for (pid,) in connection.execute(waiting).all():
        connection.execute(text(f"SELECT pg_terminate_backend({pid}, 10000)"))
    connection.execute(text(f"DROP TRIGGER hold ON {place[0]}"))
    held.open()


STATUSES = ["PENDING", "OVERDUE", "CANCELLED", "DRAFT"]


def have(connection: Connection, status: str) -> None:
    connection.execute(text(f"UPDATE invoice SET status = '{status}'"))


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize(
    ("table", "when", "state"),
    [
        pytest.param(LEDGER, "NEW.state = 'cancelling'", "invoiced", id="before the claim"),
        pytest.param(LEDGER, "NEW.state = 'cancelled'", "cancelling", id="before it is recorded"),
    ],
)
def test_killed_while_the_database_is_written(
    killed_when: Kill, again: Again, gate: Any, connection: Connection, billed: LedgerKey,
    paystack: PaystackStandIn, table: str, when: str, state: str, status: str,
) -> None:  # fmt: skip
    have(connection, status)
    with held_up(connection, gate, table, "UPDATE", when) as waiting:
        killed_when(waiting)

    assert ledger_row(connection, billed).state == state
    assert again() is Kind.CANCELLED
    assert stands(connection, paystack, billed) == CANCELLED
    assert again() is Kind.ALREADY_CANCELLED


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize(
    ("endpoint", "before", "fault", "state"),
    [
        pytest.param(FETCH, 0, Fault.hang_before_accepting, "invoiced", id="asking first"),
        pytest.param(ARCHIVE, 0, Fault.hang_before_accepting, "cancelling", id="not archived"),
        pytest.param(ARCHIVE, 0, Fault.hang_after_accepting, "cancelling", id="archived"),
        pytest.param(FETCH, 1, Fault.hang_before_accepting, "cancelling", id="asking again"),
    ],
)
def test_killed_while_paystack_is_asked(
    killed_when: Kill, again: Again, connection: Connection, billed: LedgerKey,
    paystack: PaystackStandIn, endpoint: str, before: int, fault: Callable[[], Fault],
    state: str, status: str,
) -> None:  # fmt: skip
    have(connection, status)
    if before:
        paystack.faults.on(endpoint, Fault(), times=before)
    silence = paystack.faults.on(endpoint, fault())

    killed_when(silence.arrived.is_set)
    silence.abandon()

    assert ledger_row(connection, billed).state == state
    assert again() is Kind.CANCELLED
    assert stands(connection, paystack, billed) == CANCELLED


@pytest.mark.parametrize("status", ["PAID", "PARTIALLY_PAID"])
@pytest.mark.parametrize("endpoint", [FETCH, ARCHIVE])
def test_killed_and_paid_before_the_second_run(
    killed_when: Kill, again: Again, connection: Connection, billed: LedgerKey,
    paystack: PaystackStandIn, endpoint: str, status: str,
) -> None:  # fmt: skip
    """The payment is in LeaseUp, in cash: Paystack knows nothing of it."""
    silence = paystack.faults.on(endpoint, Fault.hang_before_accepting())
    killed_when(silence.arrived.is_set)
    silence.abandon()
    have(connection, status)

    assert again() is Kind.PAID
    assert stands(connection, paystack, billed) == ("pending", status, "invoiced")


def test_killed_and_paid_at_paystack_before_the_second_run(
    killed_when: Kill, again: Again, connection: Connection, billed: LedgerKey,
    paystack: PaystackStandIn,
) -> None:  # fmt: skip
    silence = paystack.faults.on(ARCHIVE, Fault.hang_before_accepting())
    killed_when(silence.arrived.is_set)
    silence.abandon()
    paystack.pay(paystack.payment_requests[0].request_code)

    assert again() is Kind.PAID
    assert stands(connection, paystack, billed) == ("success", "PAID", "invoiced")


def test_paid_in_leaseup_while_it_is_archived_stays_paid(
    engine: Engine, creation: InvoiceCreation, again: Again, connection: Connection,
    billed: LedgerKey, paystack: PaystackStandIn,
) -> None:  # fmt: skip
    """LeaseUp's own webhook is faster than our last step: PAID is never overwritten."""
    connection.exec_driver_sql(
        """
        CREATE FUNCTION pay() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN UPDATE invoice SET status = ''PAID''; RETURN NULL; END';
        CREATE TRIGGER pay AFTER UPDATE ON leaseup_dagster.invoice_ledger
            FOR EACH ROW WHEN (NEW.state = 'cancelling') EXECUTE FUNCTION pay();
        """
    )

    assert again() is Kind.PAID
    assert stands(connection, paystack, billed) == ("pending", "PAID", "invoiced")


def test_a_payment_that_slips_in_at_paystack_wins_and_is_recorded(
    again: Again, connection: Connection, billed: LedgerKey, paystack: PaystackStandIn
) -> None:
    """It arrives while the request is being archived."""
    archiving = paystack.faults.on(ARCHIVE, Fault.hang_before_accepting())
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(again)
        assert archiving.arrived.wait(10)
        paystack.pay(paystack.payment_requests[0].request_code)
        archiving.release()

    assert first.result() is Kind.PAID
    assert stands(connection, paystack, billed) == ("archived", "PAID", "invoiced")
    assert again() is Kind.PAID
    assert stands(connection, paystack, billed) == ("archived", "PAID", "invoiced")


def test_two_at_once_are_one(
    again: Again, connection: Connection, billed: LedgerKey, paystack: PaystackStandIn
) -> None:
    archiving = paystack.faults.on(ARCHIVE, Fault.hang_before_accepting())
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(again)
        assert archiving.arrived.wait(10)
        assert again() is Kind.CANCELLED
        archiving.release()

    assert first.result() is Kind.ALREADY_CANCELLED
    assert stands(connection, paystack, billed) == CANCELLED


def test_untouched_in_both_when_paystack_cannot_be_asked(
    again: Again, connection: Connection, billed: LedgerKey, paystack: PaystackStandIn
) -> None:
    paystack.stop()

    assert again() is Kind.NOT_SENT
    assert stands(connection, paystack, billed) == UNTOUCHED
