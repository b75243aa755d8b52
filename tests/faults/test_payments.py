"""One payment that LeaseUp's webhook, the reconciliation and the reminders may all record."""

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
from tests.faults.postgres_proxy import Moment
from tests.faults.recovery import Recovery
from tests.faults.scenarios.invoices import DUE, InvoiceScenario
from tests.faults.scenarios.reconciliation import ReconciliationScenario
from tests.faults.scenarios.reminders import ReminderScenario
from tests.faults.world import ARCHIVE, FETCH, World

pytestmark = pytest.mark.faults

OVERDUE_DAY = DUE + timedelta(days=4)
Check = Callable[[], object]


@pytest.fixture(params=["reconciliation", "reminders"])
def check_payment(
    request: pytest.FixtureRequest, world: World, overdue: StoredPaymentRequest
) -> Check:
    """A run of ours that asks Paystack whether the invoice was paid."""
    if request.param == "reconciliation":
        return lambda: ReconciliationScenario(world).run(lambda: None)
    return lambda: ReminderScenario.of(world).run(OVERDUE_DAY, lambda: None)


@pytest.fixture
def overdue(world: World) -> StoredPaymentRequest:
    """The payment request of an overdue invoice."""
    invoicing = InvoiceScenario(world)
    invoicing.run(invoicing.day, None)
    return invoicing.requests(invoicing.victim)[0]


def send_webhook(world: World, request: StoredPaymentRequest, times: int = 1) -> None:
    """LeaseUp's webhook receives the payment."""
    for _ in range(times):
        receive(world.connection, request.event())


def recorded_cents(world: World, request: StoredPaymentRequest) -> list[int]:
    """The amounts of its recorded payments, in cents."""
    return [
        int(cents)  # type: ignore[call-overload]
        for (cents,) in world.rows(
            'SELECT round("amountPaid"::numeric * 100) FROM transaction JOIN invoice'
            ' ON invoice.id = transaction."invoiceId" WHERE "paystackId" = :code',
            code=request.request_code,
        )
    ]


def status_of(world: World, request: StoredPaymentRequest) -> object:
    """The status of its invoice in LeaseUp."""
    sql = 'SELECT status::text FROM invoice WHERE "paystackId" = :code'
    return world.rows(sql, code=request.request_code)[0][0]


def check_agreement(world: World, request: StoredPaymentRequest, rows: int = 1) -> None:
    """PAID, and after a healthy reconciliation recorded = received, or a person is asked."""
    assert status_of(world, request) == "PAID"
    assert recorded_cents(world, request) == [850_000] * rows
    ReconciliationScenario(world).run(lambda: None)
    money.check_payments_agree(world)
    assert recorded_cents(world, request) == [850_000] * rows
    asked = world.rows("SELECT doubt FROM leaseup_dagster.payment_question")
    assert asked == ([] if rows == 1 else [("recorded twice",)])
    assert len(world.twilio.messages) <= 2  # to the tenants of the two other invoices


@pytest.mark.parametrize(("times", "rows"), [(0, 1), (1, 1), (2, 2)])
def test_the_webhook_comes_before_us(
    world: World,
    overdue: StoredPaymentRequest,
    check_payment: Check,
    cell: Cell,
    times: int,
    rows: int,
) -> None:
    """Never, once, or twice for one payment: a second row is reported, and stays."""
    cell("payments", f"webhook {('never', 'before us', 'twice before us')[times]}",
         Recovery.NEW_RUN)  # fmt: skip
    world.paystack.pay(overdue.request_code)
    send_webhook(world, overdue, times)

    check_payment()
    ReconciliationScenario(world).run(lambda: None)

    check_agreement(world, overdue, rows)


def test_the_webhook_comes_after_us(
    world: World, overdue: StoredPaymentRequest, check_payment: Check, cell: Cell
) -> None:
    cell("payments", "webhook after us", Recovery.NEW_RUN)
    world.paystack.pay(overdue.request_code)

    check_payment()
    send_webhook(world, overdue, 2)

    check_agreement(world, overdue)


def test_the_webhook_comes_between_our_question_and_our_record(
    world: World, overdue: StoredPaymentRequest, check_payment: Check, cell: Cell
) -> None:
    cell("payments", "webhook between our question and our record", Recovery.NEW_RUN)
    world.paystack.pay(overdue.request_code)

    def webhook_before_the_answer(reply):
        send_webhook(world, overdue)
        return reply

    world.paystack.faults.on(FETCH, Fault(webhook_before_the_answer), matching=overdue.request_code)

    check_payment()
    ReconciliationScenario(world).run(lambda: None)

    check_agreement(world, overdue)


def test_the_webhook_writes_at_the_same_moment(
    world: World, overdue: StoredPaymentRequest, check_payment: Check, cell: Cell
) -> None:
    """We wait for its transaction to end, and count what it recorded."""
    cell("payments", "webhook at the same moment", Recovery.NEW_RUN)
    world.paystack.pay(overdue.request_code)

    with ThreadPoolExecutor(1) as pool, _webhook_writing(world, overdue) as commit:
        our_run = pool.submit(check_payment)
        while not world.rows("SELECT 1 FROM pg_locks WHERE NOT granted"):
            assert not our_run.done(), our_run.result()
        commit.set()
        our_run.result(20)

    ReconciliationScenario(world).run(lambda: None)
    check_agreement(world, overdue)


@contextmanager
def _webhook_writing(world: World, request: StoredPaymentRequest) -> Iterator[threading.Event]:
    """The webhook's transaction stays open until the event is set."""
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
    world: World, overdue: StoredPaymentRequest, cell: Cell, heard: str
) -> None:
    """Paystack notifies it only when the whole amount is paid."""
    cell("payments", f"two payments, the webhook hears {heard}", Recovery.NEXT_DAY)
    world.paystack.pay(overdue.request_code, 300_000)
    if heard == "the first":
        event = overdue.event()
        event["data"] |= {"amount": 300_000, "paid_at": overdue.transactions[0]["paid_at"]}
        receive(world.connection, event)
    ReminderScenario.of(world).run(OVERDUE_DAY, lambda: None)
    assert recorded_cents(world, overdue) == [300_000]
    (text,) = [m.body for m in world.twilio.messages if overdue.request_code in m.body]
    assert "R5 500.00" in text

    world.paystack.pay(overdue.request_code, 550_000)
    if heard == "the second":
        event = overdue.event()
        event["data"]["amount"] = 550_000
        receive(world.connection, event)
    ReconciliationScenario(world).run(lambda: None)

    assert status_of(world, overdue) == "PAID"
    assert sorted(recorded_cents(world, overdue)) == [300_000, 550_000]
    money.check_payments_agree(world)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("what", ["process dies", "database restarts", "connection cut"])
def test_the_commit_of_a_payment_fails(
    world: World,
    overdue: StoredPaymentRequest,
    check_payment: Check,
    cell: Cell,
    what: str,
    moment: Moment,
) -> None:
    cell("payments", f"{what} {moment} the payment is committed", Recovery.NEW_RUN)
    world.paystack.pay(overdue.request_code)
    act = {
        "process dies": world.crash,
        "database restarts": world.proxy.down,
        "connection cut": lambda: None,
    }[what]
    world.proxy.cut("INSERT INTO transaction", moment, also=act)

    check_payment()
    world.heal()
    check_payment()

    check_agreement(world, overdue)


@pytest.mark.parametrize("fault", ["answer lost", "payment meanwhile", "500"])
def test_the_request_of_what_was_paid_by_hand_is_archived(
    world: World, overdue: StoredPaymentRequest, cell: Cell, fault: str
) -> None:
    cell("payments", f"archiving what was paid manually: {fault}", Recovery.NEXT_DAY)
    (invoice,) = world.rows(
        'SELECT id FROM invoice WHERE "paystackId" = :code', code=overdue.request_code
    )
    landlord.mark_as_paid(world.connection, str(invoice[0]))

    def paid(reply):
        world.paystack.pay(overdue.request_code)
        return reply

    new_fault = {
        "answer lost": Fault.drop_after_accepting,
        "payment meanwhile": lambda: Fault(paid),
        "500": lambda: Fault.status(500),
    }[fault]
    world.paystack.faults.on(ARCHIVE, new_fault())
    reconciling = ReconciliationScenario(world)

    reconciling.run(None)
    world.heal()
    reconciling.run(lambda: None)

    assert overdue.archived
    money.check_payments_agree(world)
    questions = [f for f in reconciling.findings if f.kind in (Kind.UNDECIDED, Kind.WAITING)]
    assert bool(questions) is (fault == "payment meanwhile")
