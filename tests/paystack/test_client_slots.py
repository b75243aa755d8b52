"""Who may make a payment request: waited for, used, or given to the next."""

import math
import threading
import time

import pytest

from leaseup_dagster.paystack.client import CREATE, FETCH, PaystackClient
from leaseup_dagster.paystack.errors import NotProcessed
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from tests.paystack.conftest import FakeQuota, NewClient, Rent


class NeverSet(threading.Event):
    """Keeps how long it was waited for, and does not wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout)
        return False


@pytest.fixture
def long_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """No slot gets old while a slow machine is at it."""
    monkeypatch.setattr("leaseup_dagster.paystack.client._SPARE_SECONDS", 60)


def test_a_turn_is_waited_for_as_long_as_the_quota_says(
    new_client: NewClient, quota: FakeQuota
) -> None:
    stop, quota.wait = NeverSet(), 7.5

    new_client(stop=stop).wait_for_slot_to_create()

    assert stop.waited == [7.5]


@pytest.mark.usefixtures("long_turns")
def test_a_turn_that_was_given_back_is_the_next_ones(
    new_client: NewClient, quota: FakeQuota
) -> None:
    stop, quota.wait = NeverSet(), 7.5
    client = new_client(stop=stop)
    client.give_back_slot_to_create(client.wait_for_slot_to_create())

    client.wait_for_slot_to_create()
    client.wait_for_slot_to_create()

    assert stop.waited == [7.5, 7.5]


def test_a_turn_is_not_kept_for_later_however_often_it_is_given_back(
    new_client: NewClient, quota: FakeQuota, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = new_client(stop=NeverSet())
    began = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: began)
    slot = client.wait_for_slot_to_create()
    reserved = []
    for tenths in (3, 5, 8, 10):
        monkeypatch.setattr(time, "monotonic", lambda now=began + tenths / 10: now)
        client.give_back_slot_to_create(slot)
        slot = client.wait_for_slot_to_create()
        reserved.append(len(quota.reserved))

    assert reserved == [1, 1, 2, 2]


def test_turns_that_nobody_here_wants_are_for_other_runs(
    new_client: NewClient, quota: FakeQuota
) -> None:
    client = new_client(stop=NeverSet())
    client.give_back_slot_to_create(client.wait_for_slot_to_create())

    client.give_up_slots_to_create()
    client.give_up_slots_to_create()

    assert quota.given_back == ["POST /paymentrequest"]
    client.wait_for_slot_to_create()
    assert len(quota.reserved) == 2


@pytest.mark.usefixtures("long_turns")
@pytest.mark.parametrize("given_back", ["before", "after"])
def test_a_turn_is_void_once_paystack_says_wait(
    client: PaystackClient, quota: FakeQuota, paystack: PaystackStandIn, rent: Rent,
    given_back: str,
) -> None:  # fmt: skip
    paystack.faults.on_create(Fault.rate_limit())
    slot = client.wait_for_slot_to_create()
    if given_back == "before":
        client.give_back_slot_to_create(slot)
    with pytest.raises(NotProcessed):
        client.create_payment_request(rent(), send_before=math.inf)
    if given_back == "after":
        client.give_back_slot_to_create(slot)

    client.wait_for_slot_to_create()

    assert quota.reserved == [CREATE, CREATE]


@pytest.mark.usefixtures("long_turns")
def test_a_turn_stays_good_when_paystack_says_wait_with_something_else(
    client: PaystackClient, quota: FakeQuota, paystack: PaystackStandIn
) -> None:
    paystack.faults.on(FETCH, Fault.rate_limit())
    client.give_back_slot_to_create(client.wait_for_slot_to_create())
    with pytest.raises(NotProcessed):
        client.fetch_payment_request("PRQ_1")

    client.wait_for_slot_to_create()

    assert quota.reserved == [CREATE, FETCH]
