"""Batches, the wait for answers, and the run's time."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import Connection, Engine, text

from leaseup_dagster.batching import Place
from leaseup_dagster.invoicing.creation import batches
from leaseup_dagster.invoicing.creation.protocol import InvoiceCreation, Kind
from leaseup_dagster.invoicing.keys import Compared, InvoiceBatch, InvoicePlan, LedgerKey
from leaseup_dagster.invoicing.ledger import queries
from leaseup_dagster.sandbox.builders import an_invoice
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.settings import TaskSettings

TODAY = date(2026, 11, 24)
ALONE = Place(1, 1, before=0, total=1)


def keys(count: int) -> list[LedgerKey]:
    return [LedgerKey(TODAY, f"lease-{n:05}") for n in range(count)]


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (0, []),
        (1, [1]),
        (23, [10, 10, 3]),
        (40, [10] * 4),
        (41, [20, 20, 1]),
        (20_000, [5_000] * 4),
    ],
)
def test_steps_stay_few_and_batches_grow(count: int, sizes: list[int]) -> None:
    cut = batches.cut(keys(count), TODAY, 10, Compared())

    assert [len(batch.keys) for batch in cut] == sizes
    assert [key for batch in cut for key in batch.keys] == keys(count)


@pytest.fixture
def impatient(creation: InvoiceCreation) -> InvoiceCreation:
    """The protocol with a settling time a test can wait for."""
    return replace(creation, settle_seconds=0.2)


def test_the_run_waits_until_a_lost_request_has_settled_and_sends_it_again(
    impatient: InvoiceCreation, paystack: PaystackStandIn, planned: LedgerKey, tasks: TaskSettings
) -> None:
    paystack.faults.on_create(Fault.drop_before_accepting())
    impatient.bill(planned)

    outcomes = batches.settle(impatient, TODAY, tasks, seconds=10)

    assert [outcome.kind for outcome in outcomes] == [Kind.CREATED]
    assert len(paystack.payment_requests) == 1


@pytest.mark.parametrize(
    ("meanwhile", "state", "why"),
    [
        (
            'UPDATE tenant SET "paystackCustomerId" = NULL',
            "refused",
            "No Paystack customer ID found",
        ),
        ("UPDATE lease SET status = 'ENDED'", "cancelled", "not_active"),
        ("INSERT", "cancelled", "already_invoiced"),
    ],
    ids=["its tenant lost its customer", "the lease ended", "LeaseUp's own task billed it"],
)
def test_what_never_arrived_is_not_sent_again_when_it_is_not_due_any_more(
    impatient: InvoiceCreation, connection: Connection, paystack: PaystackStandIn,
    planned: LedgerKey, tasks: TaskSettings, meanwhile: str, state: str, why: str,
) -> None:  # fmt: skip
    paystack.faults.on_create(Fault.drop_before_accepting())
    impatient.bill(planned)
    if meanwhile == "INSERT":
        an_invoice(connection, planned.lease_id, planned.due_date)
    else:
        connection.execute(text(meanwhile))

    batches.settle(impatient, TODAY, tasks, seconds=10)

    (found,) = queries.results(connection, [planned])
    assert (found.state, why in str(found.error)) == (state, True)
    assert paystack.payment_requests == []


def test_what_never_arrived_is_sent_again_as_it_is_now(
    impatient: InvoiceCreation, connection: Connection, paystack: PaystackStandIn,
    planned: LedgerKey, tasks: TaskSettings,
) -> None:  # fmt: skip
    paystack.faults.on_create(Fault.drop_before_accepting())
    impatient.bill(planned)
    connection.execute(text("UPDATE lease SET rent = 9000"))

    batches.settle(impatient, TODAY, tasks, seconds=10)

    assert [request.amount for request in paystack.payment_requests] == [900_000]


def test_it_does_not_wait_longer_than_the_run_lasts(
    creation: InvoiceCreation, paystack: PaystackStandIn, planned: LedgerKey, tasks: TaskSettings
) -> None:
    paystack.faults.on_create(Fault.drop_before_accepting())
    creation.bill(planned)

    assert batches.settle(creation, TODAY, tasks, seconds=10) == []
    assert paystack.requests_to("GET /paymentrequest") == []


def test_a_row_that_cannot_be_decided_is_looked_at_once(
    impatient: InvoiceCreation, paystack: PaystackStandIn, planned: LedgerKey, tasks: TaskSettings
) -> None:
    paystack.faults.on_create(Fault.drop_before_accepting())
    impatient.bill(planned)
    paystack.faults.on_list(Fault.status(503), times=None)

    outcomes = batches.settle(impatient, TODAY, tasks, seconds=10)

    assert [outcome.kind for outcome in outcomes] == [Kind.UNANSWERED]
    assert len(paystack.requests_to("GET /paymentrequest")) == 1


def test_after_its_time_a_run_takes_no_new_batch(
    engine: Engine, creation: InvoiceCreation, paystack: PaystackStandIn, tasks: TaskSettings,
    due_lease: Callable[..., LedgerKey], plan: Callable[..., InvoicePlan],
) -> None:  # fmt: skip
    key = due_lease()
    plan()

    outcomes = batches.bill(InvoiceBatch(TODAY, ALONE, (key,)), creation, tasks, seconds=0)

    assert [outcome.kind for outcome in outcomes] == [Kind.STOPPED]
    assert paystack.requests == []
    with engine.connect() as connection:
        assert queries.count_open(connection) == 1


def test_the_time_limit_in_the_middle_of_a_batch_leaves_the_rest_planned(
    engine: Engine, creation: InvoiceCreation, paystack: PaystackStandIn,
    due_lease: Callable[..., LedgerKey], plan: Callable[..., InvoicePlan],
) -> None:  # fmt: skip
    batch = InvoiceBatch(TODAY, ALONE, tuple(sorted(due_lease() for _ in range(30))))
    plan()
    paystack.habits.latency_seconds = 0.1

    one_at_a_time = replace(creation, at_once=threading.Semaphore(1))
    outcomes = batches.bill(batch, one_at_a_time, TaskSettings(batch_size=1), seconds=0.3)

    made = [outcome for outcome in outcomes if outcome.kind is Kind.CREATED]
    assert 1 <= len(made) == len(paystack.payment_requests) < 30
    assert {outcome.kind for outcome in outcomes} == {Kind.CREATED, Kind.STOPPED}
    with engine.connect() as connection:
        assert queries.count_open(connection) == 30 - len(made)
