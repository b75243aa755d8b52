"""One payment, three who may write it down: LeaseUp's webhook, the night, the reminders."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import create_engine

from leaseup_dagster.database.connection import engine_url
from leaseup_dagster.reconciliation.repairs import Kind
from leaseup_dagster.sandbox import landlord
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.leaseup_webhook import receive
from leaseup_dagster.sandbox.paystack_books import StoredPaymentRequest
from tests.faults import money
from tests.faults.conftest import Cell
from tests.faults.invoices import DUE, Mornings
from tests.faults.nights import Nights
from tests.faults.recovery import Recovery
from tests.faults.reminding import Reminding
from tests.faults.wire import Moment
from tests.faults.world import ARCHIVE, FETCH, World

pytestmark = pytest.mark.faults

LATE = DUE + timedelta(days=4)
Check = Callable[[], object]


@pytest.fixture(params=["night", "reminders"])
def ask(request: pytest.FixtureRequest, world: World, late: StoredPaymentRequest) -> Check:
    """The run of ours that asks Paystack how the invoice stands."""
    if request.param == "night":
        return lambda: Nights(world).run(lambda: None)
    return lambda: Reminding.of(world).run(LATE, lambda: None)


@pytest.fixture
def late(world: World) -> StoredPaymentRequest:
    """A month that was billed, and is late."""
    mornings = Mornings(world)
    mornings.run(mornings.day, None)
    return mornings.requests(mornings.victim)[0]


def hear(world: World, request: StoredPaymentRequest, times: int = 1) -> None:
    for _ in range(times):
        receive(world.connection, request.event())


def rows_of(world: World, request: StoredPaymentRequest) -> list[int]:
    """In cents, of every row that says it was paid."""
    return [
        int(cents)  # type: ignore[call-overload]
        for (cents,) in world.rows(
            'SELECT round("amountPaid"::numeric * 100) FROM transaction JOIN invoice'
            ' ON invoice.id = transaction."invoiceId" WHERE "paystackId" = :code',
            code=request.request_code,
        )
    ]


def status_of(world: World, request: StoredPaymentRequest) -> object:
    sql = 'SELECT status::text FROM invoice WHERE "paystackId" = :code'
    return world.rows(sql, code=request.request_code)[0][0]


def agree(world: World, request: StoredPaymentRequest, rows: int = 1) -> None:
    """PAID, and after a healthy night recorded = received or a person is alerted."""
    assert status_of(world, request) == "PAID"
    assert rows_of(world, request) == [850_000] * rows
    Nights(world).run(lambda: None)
    money.books_are_one(world)
    assert rows_of(world, request) == [850_000] * rows
    asked = world.rows("SELECT doubt FROM leaseup_dagster.payment_question")
    assert asked == ([] if rows == 1 else [("recorded twice",)])
    assert len(world.twilio.messages) <= 2  # of the two others


@pytest.mark.parametrize(("times", "rows"), [(0, 1), (1, 1), (2, 2)])
def test_the_webhook_comes_before_us(
    world: World, late: StoredPaymentRequest, ask: Check, cell: Cell, times: int, rows: int
) -> None:
    """Never, once, or twice for one payment: its second row is named, and stays."""
    cell("payments", f"webhook {('never', 'before us', 'twice before us')[times]}",
         Recovery.NEW_RUN)  # fmt: skip
    world.paystack.pay(late.request_code)
    hear(world, late, times)

    ask()
    Nights(world).run(lambda: None)

    agree(world, late, rows)


def test_the_webhook_comes_after_us(
    world: World, late: StoredPaymentRequest, ask: Check, cell: Cell
) -> None:
    cell("payments", "webhook after us", Recovery.NEW_RUN)
    world.paystack.pay(late.request_code)

    ask()
    hear(world, late, 2)

    agree(world, late)


def test_the_webhook_comes_between_our_question_and_our_record(
    world: World, late: StoredPaymentRequest, ask: Check, cell: Cell
) -> None:
    cell("payments", "webhook between our question and our record", Recovery.NEW_RUN)
    world.paystack.pay(late.request_code)

    def heard(reply):
        hear(world, late)
        return reply

    world.paystack.faults.on(FETCH, Fault(heard), matching=late.request_code)

    ask()
    Nights(world).run(lambda: None)

    agree(world, late)


def test_the_webhook_writes_at_the_same_moment(
    world: World, late: StoredPaymentRequest, ask: Check, cell: Cell
) -> None:
    """We wait for its transaction to end, and count what it wrote."""
    cell("payments", "webhook at the same moment", Recovery.NEW_RUN)
    world.paystack.pay(late.request_code)

    with ThreadPoolExecutor(1) as pool, _webhook_writing(world, late) as commit:
        ours = pool.submit(ask)
        while not world.rows("SELECT 1 FROM pg_locks WHERE NOT granted"):
            assert not ours.done(), ours.result()
        commit.set()
        ours.result(20)

    Nights(world).run(lambda: None)
    agree(world, late)


@contextmanager
def _webhook_writing(world: World, request: StoredPaymentRequest) -> Iterator[threading.Event]:
    """Its transaction is open until it is asked to commit."""
    commit, wrote = threading.Event(), threading.Event()
    engine = create_engine(engine_url(world.postgres.url(world.name)))

    def write() -> None:
        with engine.begin() as connection:
            receive(connection, request.event())
            wrote.set()
            commit.wait(20)

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(write)
        assert wrote.wait(10)
        yield commit
        done.result(20)
    engine.dispose()


@pytest.mark.parametrize("heard", ["the first", "the second", "none"])
def test_two_payments_of_which_the_webhook_hears(
    world: World, late: StoredPaymentRequest, cell: Cell, heard: str
) -> None:
    """It hears of the last one only when the whole is paid; then it writes the whole."""
    cell("payments", f"two payments, the webhook hears {heard}", Recovery.NEXT_DAY)
    world.paystack.pay(late.request_code, 300_000)
    if heard == "the first":
        event = late.event()
        event["data"] |= {"amount": 300_000, "paid_at": late.transactions[0]["paid_at"]}
        receive(world.connection, event)
    Reminding.of(world).run(LATE, lambda: None)
    assert rows_of(world, late) == [300_000]
    (text,) = [m.body for m in world.twilio.messages if late.request_code in m.body]
    assert "R5 500.00" in text

    world.paystack.pay(late.request_code, 550_000)
    if heard == "the second":
        event = late.event()
        event["data"]["amount"] = 550_000
        receive(world.connection, event)
    Nights(world).run(lambda: None)

    assert status_of(world, late) == "PAID"
    assert sorted(rows_of(world, late)) == [300_000, 550_000]
    money.books_are_one(world)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("what", ["process dies", "database restarts", "connection cut"])
def test_we_fall_while_we_write_it_down(
    world: World, late: StoredPaymentRequest, ask: Check, cell: Cell, what: str, moment: Moment
) -> None:
    cell("payments", f"{what} {moment} the payment is committed", Recovery.NEW_RUN)
    world.paystack.pay(late.request_code)
    act = {
        "process dies": world.crash,
        "database restarts": world.wire.down,
        "connection cut": lambda: None,
    }[what]
    world.wire.cut("INSERT INTO transaction", moment, also=act)

    ask()
    world.heal()
    ask()

    agree(world, late)


@pytest.mark.parametrize("fault", ["answer lost", "payment meanwhile", "500"])
def test_the_request_of_what_was_paid_by_hand_is_archived(
    world: World, late: StoredPaymentRequest, cell: Cell, fault: str
) -> None:
    cell("payments", f"archiving what was paid manually: {fault}", Recovery.NEXT_DAY)
    (invoice,) = world.rows(
        'SELECT id FROM invoice WHERE "paystackId" = :code', code=late.request_code
    )
    landlord.mark_as_paid(world.connection, str(invoice[0]))

    def paid(reply):
        world.paystack.pay(late.request_code)
        return reply

    order = {
        "answer lost": Fault.drop_after_accepting,
        "payment meanwhile": lambda: Fault(paid),
        "500": lambda: Fault.status(500),
    }[fault]
    world.paystack.faults.on(ARCHIVE, order())
    nights = Nights(world)

    nights.run(None)
    world.heal()
    nights.run(lambda: None)

    assert late.archived
    money.books_are_one(world)
    asked = [f for f in nights.findings if f.kind in (Kind.UNDECIDED, Kind.WAITING)]
    assert bool(asked) is (fault == "payment meanwhile")
