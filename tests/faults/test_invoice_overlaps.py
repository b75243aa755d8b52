"""More than one at it: two runs, a paused worker, an answer that comes late; and a wrong clock."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, create_engine, text

from leaseup_dagster.invoicing.creation.protocol import InvoiceCreation, Kind
from leaseup_dagster.sandbox.faults import Fault
from tests.faults.conftest import Cell
from tests.faults.invoices import SETTLE_SECONDS, Mornings
from tests.faults.recovery import Recovery
from tests.faults.test_invoice_database import MARK
from tests.faults.vocabulary import Broken, by_name
from tests.faults.world import World

pytestmark = pytest.mark.faults

AT_ONCE = by_name(
    "fields that nobody knows",
    "accepted, connection closed",
    "connection closed before it was accepted",
    "500, before it was accepted",
    "502 in HTML, after it was accepted",
    "429",
    "400",
)


@pytest.mark.parametrize("broken", AT_ONCE, ids=str)
def test_two_runs_at_once(mornings: Mornings, world: World, cell: Cell, broken: Broken) -> None:
    """As after a tick that doubled, or when the daemon started one run twice."""
    cell("invoices", f"two runs at once: {broken}", Recovery.NEW_RUN)
    world.paystack.habits.latency_seconds = 0.01
    world.paystack.faults.on_create(broken.make(), times=3)
    start = threading.Barrier(2)

    def run(_: int) -> None:
        start.wait(10)
        mornings.run_beside()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, range(2)))
    mornings.check_nothing_twice()
    world.heal()
    world.time_passes(minutes=10)
    mornings.run(mornings.day, lambda: None)

    mornings.check()


def test_a_worker_is_paused_after_its_mark_until_another_has_billed(
    mornings: Mornings, world: World, cell: Cell
) -> None:
    """It wakes up with a claim that expired, and drops it."""
    cell("invoices", "worker paused after its claim, another run bills", Recovery.NEW_RUN)
    mornings.send_window_seconds = 0.2
    paused = world.wire.pause(MARK.pattern)
    with ThreadPoolExecutor(1) as pool:
        zombie = pool.submit(mornings.run_beside)
        assert paused.reached.wait(10)
        world.time_passes(minutes=10)
        mornings.send_window_seconds = 10
        mornings.run(mornings.day, lambda: None)
        mornings.check()
        stale = threading.Event()
        stale.wait(0.2)
        assert paused.pause is not None
        paused.pause.set()
        zombie.result(20)

    mornings.check()


def test_a_worker_is_paused_after_its_mark_and_nobody_comes(
    mornings: Mornings, world: World, cell: Cell
) -> None:
    cell("invoices", "worker paused after its claim, and goes on", Recovery.OP_RETRY)
    mornings.send_window_seconds = 0.2
    paused = world.wire.pause(MARK.pattern)
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(mornings.run_beside)
        assert paused.reached.wait(10)
        threading.Event().wait(0.2)
        assert paused.pause is not None
        paused.pause.set()
        run.result(20)

    assert Kind.NOT_SENT in {outcome.kind for outcome in mornings.outcomes}
    mornings.check()


def test_an_answer_comes_after_another_run_has_adopted(
    mornings: Mornings, world: World, cell: Cell
) -> None:
    """The worker of a run that was marked failed lives on, and hears of it last."""
    cell("invoices", "answer comes late, another run has adopted", Recovery.NEW_RUN)
    slow = world.paystack.faults.on_create(
        Fault.hang_after_accepting(), matching=mornings.only_the_victim
    )
    with ThreadPoolExecutor(1) as pool:
        zombie = pool.submit(mornings.run_beside)
        assert slow.arrived.wait(10)
        mornings.run(mornings.day, None)
        mornings.check_nothing_twice()
        slow.release()
        zombie.result(20)

    mornings.check()


def test_a_worker_comes_late_with_a_plan_that_another_has_carried_out(
    mornings: Mornings, world: World, cell: Cell
) -> None:
    """Both had read the same list of planned months."""
    cell("invoices", "worker comes late, with the same plan", Recovery.NEW_RUN)
    mornings.run(mornings.day, lambda: None)
    with world.another_engine() as engine, world.client(engine) as client:
        late = InvoiceCreation(engine, client, SETTLE_SECONDS, False)
        outcomes = {late.bill(month).kind for month in mornings.months}

    assert outcomes == {Kind.CLAIMED_ELSEWHERE}
    mornings.check()


@pytest.fixture
def impatient(world: World) -> Iterator[Engine]:
    """Waits for no lock."""
    engine = create_engine(
        world.wire.url(world.name).replace("postgresql:", "postgresql+psycopg:"),
        connect_args={"options": "-c lock_timeout=1s -c timezone=UTC"},
    )
    yield engine
    engine.dispose()


def test_a_month_that_somebody_is_claiming_is_not_waited_for(
    mornings: Mornings, world: World, cell: Cell, impatient: Engine
) -> None:
    """What SKIP LOCKED is for: a worker whose claim hangs holds up nobody."""
    cell("invoices", "another worker holds the row", Recovery.OP_RETRY)
    world.paystack.faults.on_create(Fault.rate_limit(x_ratelimit_reset="0"), times=3)
    mornings.run(mornings.day, None)
    world.time_passes(minutes=10)
    held = text("SELECT 1 FROM leaseup_dagster.invoice_ledger FOR UPDATE")
    with world.another_engine() as other, world.client(impatient) as client:
        creation = InvoiceCreation(impatient, client, SETTLE_SECONDS, False)
        with other.begin() as holding:
            holding.execute(held)
            outcome = creation.bill(mornings.victim)

    assert outcome.kind is Kind.CLAIMED_ELSEWHERE
    mornings.run(mornings.day, lambda: None)
    mornings.check()


CLOCKS: dict[str, tuple[timedelta, timedelta]] = {
    "a day back between plan and check": (timedelta(days=-1), timedelta()),
    "a day forward": (timedelta(days=1), timedelta()),
    "the database's clock a day back": (timedelta(), timedelta(days=1)),
    "the database's clock five minutes back": (timedelta(), timedelta(minutes=5)),
}


@pytest.mark.parametrize("lost", [Fault.drop_before_accepting, Fault.drop_after_accepting])
@pytest.mark.parametrize("clock", CLOCKS)
def test_a_clock_jumps(
    mornings: Mornings, world: World, cell: Cell, clock: str, lost: Callable[[], Fault]
) -> None:
    """Until the clocks agree again a month may wait, but not be billed twice."""
    accepted = lost == Fault.drop_after_accepting
    cell("invoices", f"clock: {clock}; {'' if accepted else 'not '}accepted", Recovery.NEW_RUN)
    as_of, database = CLOCKS[clock]
    world.paystack.faults.on_create(lost(), times=3)
    mornings.run(mornings.day, None)

    world.marks_look_newer(seconds=database.total_seconds())
    mornings.run(mornings.day + as_of, lambda: None)
    mornings.check_nothing_twice()
    world.time_passes(days=2)
    mornings.run(mornings.day, lambda: None)

    mornings.check()
