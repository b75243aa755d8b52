"""A run is killed at each step of the protocol; the next run finishes it, once.

The killed run is a real process, stopped by a real lock in the database or by a silence of
Paystack, and then by SIGKILL.
"""

import signal
from collections import Counter
from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Connection, text

from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from tests.processes import Child

pytestmark = pytest.mark.faults

CHECK = ("check_upcoming_invoices", {"plan_invoices": {"as_of": "2026-11-24"}})
LEASES = 3
LEDGER = "leaseup_dagster.invoice_ledger"

Start = Callable[..., Child]
Run = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def leases(due_lease: Callable[[], LedgerKey]) -> list[LedgerKey]:
    return [due_lease() for _ in range(LEASES)]


@pytest.fixture
def run_again(run: Run, connection: Connection, settings: pytest.MonkeyPatch) -> Callable[[], None]:
    """The next run, when the settling time of what the killed one sent has passed."""

    def again() -> None:
        connection.execute(
            text(f"UPDATE {LEDGER} SET attempted_at = attempted_at - interval '10 minutes'")
        )
        assert run(*CHECK).success

    return again


def assert_each_lease_is_billed_once(connection: Connection, paystack: PaystackStandIn) -> None:
    live = Counter(
        (request.metadata or {})["lease_id"]
        for request in paystack.payment_requests
        if not request.archived
    )
    invoiced = Counter(connection.execute(text('SELECT "leaseId" FROM invoice')).scalars())
    states = connection.execute(text(f"SELECT state FROM {LEDGER}")).scalars().all()
    assert len(live) == LEASES
    assert set(live.values()) == {1}
    assert invoiced == live
    assert states == ["invoiced"] * LEASES


@pytest.mark.parametrize(
    ("table", "event", "when"),
    [
        pytest.param(LEDGER, "INSERT", "true", id="before the plan is committed"),
        pytest.param(LEDGER, "UPDATE", "NEW.state = 'requesting'", id="before the claim"),
        pytest.param("invoice", "INSERT", "true", id="after the answer, before the row"),
    ],
)
def test_killed_while_the_database_is_written(
    start: Start, gate: Callable[..., Any], leases: list[LedgerKey], run_again: Callable[[], None],
    connection: Connection, paystack: PaystackStandIn, table: str, event: str, when: str,
) -> None:  # fmt: skip
    held = gate(table, event, when)
    child = start(*CHECK)
    held.wait_until_reached()

    child.kill()
    held.open()
    run_again()

    assert_each_lease_is_billed_once(connection, paystack)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault.hang_before_accepting, id="after the claim, before Paystack accepts"),
        pytest.param(Fault.hang_after_accepting, id="after Paystack accepted, before the answer"),
    ],
)
def test_killed_while_paystack_is_asked(
    start: Start, leases: list[LedgerKey], run_again: Callable[[], None],
    connection: Connection, paystack: PaystackStandIn, fault: Callable[[], Fault],
) -> None:  # fmt: skip
    silence = fault()
    paystack.faults.on_create(silence)
    child = start(*CHECK)
    assert silence.arrived.wait(30)

    child.kill()
    silence.abandon()
    run_again()

    assert_each_lease_is_billed_once(connection, paystack)


def test_killed_when_all_is_recorded_and_nothing_is_reported(
    start: Start, gate: Callable[..., Any], leases: list[LedgerKey], run_again: Callable[[], None],
    connection: Connection, paystack: PaystackStandIn,
) -> None:  # fmt: skip
    held = gate("invoice", "INSERT", f"NEW.\"leaseId\" = '{leases[-1].lease_id}'")
    child = start(*CHECK)
    held.wait_until_reached()

    held.open()
    child.end()
    run_again()

    assert_each_lease_is_billed_once(connection, paystack)


def test_a_zombie_that_was_paused_does_not_send_what_another_run_billed(
    start: Start, gate: Callable[..., Any], leases: list[LedgerKey], run: Run,
    connection: Connection, paystack: PaystackStandIn, settings: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Marked failed, its worker lives on: it wakes up when the next run has done its work."""
    settings.setenv("TASK_BATCH_SIZE", "1")
    held = gate(LEDGER, "UPDATE", "NEW.state = 'requesting'")
    zombie = start(*CHECK)
    held.wait_until_reached()
    zombie.send_signal(signal.SIGSTOP)
    connection.execute(
        text(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE wait_event = 'advisory' AND datname = current_database()"
        )
    )
    connection.execute(text("DROP TRIGGER hold ON leaseup_dagster.invoice_ledger"))
    assert run(*CHECK).success

    zombie.send_signal(signal.SIGCONT)
    held.open()
    zombie.wait(60)

    assert_each_lease_is_billed_once(connection, paystack)


def test_two_runs_at_once_share_the_work(
    start: Start, due_lease: Callable[[], LedgerKey], connection: Connection,
    paystack: PaystackStandIn,
) -> None:  # fmt: skip
    for _ in range(40):
        due_lease()
    paystack.habits.latency_seconds = 0.02
    children = [start(*CHECK), start(*CHECK)]

    assert [child.wait(60) for child in children] == [0, 0]
    assert len(paystack.payment_requests) == 40
    assert connection.execute(text("SELECT count(*) FROM invoice")).scalar() == 40
