"""A Paystack on loopback, a client of it, and what they need."""

import math
import threading
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest

from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.paystack.models import NewPaymentRequest, PaymentRequest
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.sandbox.paystack_books import StoredCustomer

KEY = "sk_test_sandbox"

Rent = Callable[..., NewPaymentRequest]
NewClient = Callable[..., PaystackClient]


def create(
    client: PaystackClient, request: NewPaymentRequest, send_before: float = math.inf
) -> PaymentRequest:
    return client.create_payment_request(request, send_before=send_before)


class FakeQuota:
    """A slot is free after `wait` seconds; what was asked is kept."""

    def __init__(self) -> None:
        self.wait = 0.0
        self.reserved: list[str] = []
        self.given_back: list[str] = []
        self.paused: list[tuple[str, float]] = []
        self.learned: list[tuple[str, int]] = []
        self.on_reserve: Callable[[], None] = lambda: None

    def reserve(self, endpoint: str) -> float:
        self.reserved.append(endpoint)
        self.on_reserve()
        return self.wait

    def give_back(self, endpoint: str) -> None:
        self.given_back.append(endpoint)

    def learn(self, endpoint: str, requests_per_minute: int) -> None:
        self.learned.append((endpoint, requests_per_minute))

    def pause(self, endpoint: str, seconds: float) -> None:
        self.paused.append((endpoint, seconds))


@pytest.fixture
def paystack() -> Iterator[PaystackStandIn]:
    with PaystackStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def quota() -> FakeQuota:
    return FakeQuota()


@pytest.fixture
def new_client(paystack: PaystackStandIn, quota: FakeQuota) -> Iterator[NewClient]:
    """Makes clients of `paystack` that differ from the usual one in what is given."""
    made = []

    def new(**given: Any) -> PaystackClient:
        usual = {
            "secret_key": KEY,
            "base_url": paystack.url,
            "quota": quota,
            "timeout_seconds": 10,
            "connections": 4,
        }
        made.append(PaystackClient(**(usual | given)))
        return made[-1]

    yield new
    for client in made:
        client.close()


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def client(new_client: NewClient, stop: threading.Event) -> PaystackClient:
    return new_client(stop=stop)


@pytest.fixture
def customer(paystack: PaystackStandIn) -> StoredCustomer:
    return paystack.add_customer("thandi@example.com", first_name="Thandi")


@pytest.fixture
def rent(customer: StoredCustomer) -> Rent:
    """Makes payment requests for `customer`, each for a reference."""

    def new(reference: str = "LU-1", **given: Any) -> NewPaymentRequest:
        usual = {
            "customer": customer.id,
            "amount_cents": 1_250_000,
            "currency": "ZAR",
            "due_date": date(2026, 12, 1),
            "description": f"Rent December 2026 {reference}",
            "metadata": {"reference": reference},
            "send_notification": False,
        }
        return NewPaymentRequest(**(usual | given))

    return new
