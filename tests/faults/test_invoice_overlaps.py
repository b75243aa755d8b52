"""Overlapping invoicing runs, a paused worker, an answer that comes late, and wrong clocks."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, create_engine, text

from leaseup_dagster.invoicing.creation.protocol import InvoiceCreation, Kind
from leaseup_dagster.sandbox.faults import Fault
from tests.faults.conftest import Cell
from tests.faults.failures import RequestFailure, failures_named
from tests.faults.overlaps import SHORT_SEND_WINDOW_SECONDS, a_paused_worker, two_at_once
from tests.faults.recovery import Recovery
from tests.faults.scenarios.invoices import SETTLE_SECONDS, InvoiceScenario
from tests.faults.test_invoice_database import CLAIM
from tests.faults.world import World

pytestmark = pytest.mark.faults

AT_ONCE = failures_named(
    "fields that nobody knows",
    "accepted, connection closed",
    "connection closed before it was accepted",
    "500, before it was accepted",
    "502 in HTML, after it was accepted",
    "429",
    "400",
)


@pytest.mark.parametrize("failure", AT_ONCE, ids=str)
def test_two_runs_at_once(
    invoicing: InvoiceScenario, world: World, cell: Cell, failure: RequestFailure
) -> None:
    """As after a duplicate tick, or when the daemon starts one run twice."""
    cell("invoices", f"two runs at once: {failure}", Recovery.NEW_RUN)
    world.paystack.habits.latency_seconds = 0.01
    world.paystack.faults.on_create(failure.new_fault(), times=3)
    two_at_once(lambda _: invoicing.run_concurrently())
    invoicing.check_nothing_twice()
    world.heal()
    world.time_passes(minutes=10)
    invoicing.run(invoicing.day, lambda: None)

    invoicing.check()


def test_a_worker_is_paused_after_its_claim_until_another_has_billed(
    invoicing: InvoiceScenario, world: World, cell: Cell
) -> None:
    """It continues with an expired claim, and sends nothing."""
    cell("invoices", "worker paused after its mark, another run bills", Recovery.NEW_RUN)
    invoicing.send_window_seconds = SHORT_SEND_WINDOW_SECONDS
    with a_paused_worker(world, CLAIM, invoicing.run_concurrently):
        world.time_passes(minutes=10)
        invoicing.send_window_seconds = 10
        invoicing.run(invoicing.day, lambda: None)
        invoicing.check()

    invoicing.check()


def test_a_worker_is_paused_after_its_claim_and_continues_alone(
    invoicing: InvoiceScenario, world: World, cell: Cell
) -> None:
    cell("invoices", "worker paused after its mark, and goes on", Recovery.OP_RETRY)
    invoicing.send_window_seconds = SHORT_SEND_WINDOW_SECONDS
    with a_paused_worker(world, CLAIM, invoicing.run_concurrently):
        pass

    assert Kind.NOT_SENT in {outcome.kind for outcome in invoicing.outcomes}
    invoicing.check()


def test_an_answer_comes_after_another_run_has_adopted(
    invoicing: InvoiceScenario, world: World, cell: Cell
) -> None:
    """The worker of a run that was marked as failed is still running and gets its answer last."""
    cell("invoices", "answer comes late, another run has adopted", Recovery.NEW_RUN)
    slow = world.paystack.faults.on_create(
        Fault.hang_after_accepting(), matching=invoicing.victim_marker
    )
    with ThreadPoolExecutor(1) as pool:
        slow_run = pool.submit(invoicing.run_concurrently)
        assert slow.arrived.wait(10)
        invoicing.run(invoicing.day, None)
        invoicing.check_nothing_twice()
        slow.release()
        slow_run.result(20)

    invoicing.check()


def test_a_worker_is_late_with_a_plan_that_another_run_has_billed(
    invoicing: InvoiceScenario, world: World, cell: Cell
) -> None:
    """Both read the same list of planned months."""
    cell("invoices", "worker comes late, with the same plan", Recovery.NEW_RUN)
    invoicing.run(invoicing.day, lambda: None)
    with world.separate_engine() as engine, world.client(engine) as client:
        late = InvoiceCreation(engine, client, SETTLE_SECONDS, False)
        outcomes = {late.bill(month).kind for month in invoicing.months}

    assert outcomes == {Kind.CLAIMED_ELSEWHERE}
    invoicing.check()


@pytest.fixture
def impatient(world: World) -> Iterator[Engine]:
    """An engine that waits for a lock for one second only."""
    engine = create_engine(
        world.proxy.url(world.name).replace("postgresql:", "postgresql+psycopg:"),
        connect_args={"options": "-c lock_timeout=1s -c timezone=UTC"},
    )
    yield engine
    engine.dispose()


def test_a_month_that_another_worker_is_claiming_is_skipped(
    invoicing: InvoiceScenario, world: World, cell: Cell, impatient: Engine
) -> None:
    """The purpose of SKIP LOCKED: a worker whose claim hangs delays no other."""
    cell("invoices", "another worker holds the row", Recovery.OP_RETRY)
    world.paystack.faults.on_create(Fault.rate_limit(x_ratelimit_reset="0"), times=3)
    invoicing.run(invoicing.day, None)
    world.time_passes(minutes=10)
    lock = text("SELECT 1 FROM leaseup_dagster.invoice_ledger FOR UPDATE")
    with world.separate_engine() as other, world.client(impatient) as client:
        creation = InvoiceCreation(impatient, client, SETTLE_SECONDS, False)
        with other.begin() as holding:
            holding.execute(lock)
            outcome = creation.bill(invoicing.victim)

    assert outcome.kind is Kind.CLAIMED_ELSEWHERE
    invoicing.run(invoicing.day, lambda: None)
    invoicing.check()


CLOCKS: dict[str, tuple[timedelta, timedelta]] = {
    "a day back between plan and check": (timedelta(days=-1), timedelta()),
    "a day forward": (timedelta(days=1), timedelta()),
    "the database's clock a day back": (timedelta(), timedelta(days=1)),
    "the database's clock five minutes back": (timedelta(), timedelta(minutes=5)),
}


@pytest.mark.parametrize("lost", [Fault.drop_before_accepting, Fault.drop_after_accepting])
@pytest.mark.parametrize("clock", CLOCKS)
def test_a_clock_jumps(
    invoicing: InvoiceScenario, world: World, cell: Cell, clock: str, lost: Callable[[], Fault]
) -> None:
    """Until the clocks agree again a month may wait, but it is not billed twice."""
    accepted = lost == Fault.drop_after_accepting
    cell("invoices", f"clock: {clock}; {'' if accepted else 'not '}accepted", Recovery.NEW_RUN)
    as_of, database = CLOCKS[clock]
    world.paystack.faults.on_create(lost(), times=3)
    invoicing.run(invoicing.day, None)

    world.claims_appear_newer(seconds=database.total_seconds())
    invoicing.run(invoicing.day + as_of, lambda: None)
    invoicing.check_nothing_twice()
    world.time_passes(days=2)
    invoicing.run(invoicing.day, lambda: None)

    invoicing.check()
