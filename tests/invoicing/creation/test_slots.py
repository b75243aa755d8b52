"""The slots of the quota: none is spent in vain, and none is kept until it is too old."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from leaseup_dagster.invoicing.creation.protocol import InvoiceCreation, Kind
from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from tests.paystack.conftest import FakeQuota

CREATE = "POST /paymentrequest"


@pytest.fixture
def quota() -> FakeQuota:
    return FakeQuota()


@pytest.fixture
def creation(
    engine: Engine, paystack: PaystackStandIn, quota: FakeQuota
) -> Iterator[InvoiceCreation]:
    """As elsewhere, with a quota that tells what was asked of it."""
    with PaystackClient(
        secret_key="sk_test_sandbox", base_url=paystack.url, quota=quota, timeout_seconds=5,
        connections=1,
    ) as client:  # fmt: skip
        yield InvoiceCreation(engine, client, 120, send_notification=False)


def test_a_month_that_another_run_took_costs_no_turn(
    creation: InvoiceCreation, quota: FakeQuota, planned: LedgerKey, due_lease, plan
) -> None:
    free = due_lease()
    plan()

    kinds = [creation.bill(key).kind for key in (planned, planned, planned, free)]

    assert kinds == [Kind.CREATED, Kind.CLAIMED_ELSEWHERE, Kind.CLAIMED_ELSEWHERE, Kind.CREATED]
    assert quota.reserved == [CREATE] * 2


def test_a_turn_that_got_old_while_requests_were_out_is_waited_for_again(
    creation: InvoiceCreation, quota: FakeQuota, planned: LedgerKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leaseup_dagster.paystack.client._SPARE_SECONDS", 0)

    outcome = creation.bill(planned)

    assert outcome.kind is Kind.CREATED
    assert quota.reserved == [CREATE] * 2


def test_a_slow_paystack_does_not_make_turns_pile_up_and_leave_together(
    creation: InvoiceCreation, quota: FakeQuota, paystack: PaystackStandIn,
    due_lease: Callable[..., LedgerKey], plan,
) -> None:  # fmt: skip
    keys, in_hand = [due_lease() for _ in range(8)], []
    plan()
    paystack.habits.latency_seconds = 0.05
    quota.on_reserve = lambda: in_hand.append(
        len(quota.reserved) - len(paystack.requests_to(CREATE))
    )
    one_at_a_time = replace(creation, at_once=threading.Semaphore(1))
    with ThreadPoolExecutor(8) as pool:
        kinds = [outcome.kind for outcome in pool.map(one_at_a_time.bill, keys)]

    assert kinds == [Kind.CREATED] * 8
    assert max(in_hand) <= 3  # one that is leaving, two that are next
