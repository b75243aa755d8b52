"""Whose turn it is to make a payment request: waited for, used, or given to the next."""

import threading
import time

import pytest

from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.paystack.errors import NotProcessed
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from tests.paystack.conftest import FakeQuota, NewClient, Rent, create


class NeverSet(threading.Event):
    """Keeps how long it was waited for, and does not wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout)
        return False


def test_a_turn_is_waited_for_as_long_as_the_quota_says(
    new_client: NewClient, quota: FakeQuota
) -> None:
    stop, quota.wait = NeverSet(), 7.5

    new_client(stop=stop).wait_for_turn_to_create()

    assert stop.waited == [7.5]


def test_a_turn_that_was_given_back_is_the_next_ones(
    new_client: NewClient, quota: FakeQuota
) -> None:
    stop, quota.wait = NeverSet(), 7.5
    client = new_client(stop=stop)
    client.wait_for_turn_to_create()
    client.give_back_turn_to_create()

    client.wait_for_turn_to_create()
    client.wait_for_turn_to_create()

    assert stop.waited == [7.5, 7.5]


def test_a_turn_is_not_kept_for_later(
    new_client: NewClient, quota: FakeQuota, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = new_client(stop=NeverSet())
    client.give_back_turn_to_create()
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 1)

    client.wait_for_turn_to_create()

    assert len(quota.reserved) == 1


def test_a_turn_that_was_given_back_is_void_once_paystack_says_wait(
    client: PaystackClient, quota: FakeQuota, paystack: PaystackStandIn, rent: Rent
) -> None:
    paystack.faults.on_create(Fault.rate_limit())
    client.give_back_turn_to_create()
    with pytest.raises(NotProcessed):
        create(client, rent())

    client.wait_for_turn_to_create()

    assert len(quota.reserved) == 1
