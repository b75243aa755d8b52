"""Stop means stop: the client asked to, or with a claim that expired."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.paystack.errors import NotSent
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from tests.paystack.conftest import FakeQuota, NewClient, Rent, create


class SetOnTheSecondLook(threading.Event):
    """Not set when it is first asked, set the second time, and not any more after that."""

    def __init__(self) -> None:
        super().__init__()
        self.checks = 0

    def is_set(self) -> bool:
        self.checks += 1
        return self.checks == 2


class TestStopping:
    def test_a_stopped_client_sends_nothing(
        self, client: PaystackClient, paystack: PaystackStandIn, stop: threading.Event, rent: Rent
    ) -> None:
        stop.set()

        for call in (
            lambda: create(client, rent()),
            client.wait_for_slot_to_create,
            lambda: list(client.payment_requests_of(1)),
            lambda: client.archive_payment_request("PRQ_1"),
        ):
            with pytest.raises(NotSent):
                call()
        assert paystack.requests == []

    def test_it_ends_the_wait_for_a_turn(
        self,
        client: PaystackClient,
        paystack: PaystackStandIn,
        quota: FakeQuota,
        stop: threading.Event,
    ) -> None:
        quota.wait, quota.on_reserve = 3600, stop.set

        with pytest.raises(NotSent):
            client.fetch_payment_request("PRQ_1")

        assert paystack.requests == []

    def test_what_is_in_flight_comes_home(
        self, client: PaystackClient, paystack: PaystackStandIn, stop: threading.Event, rent: Rent
    ) -> None:
        fault = paystack.faults.on_create(Fault.hang_after_accepting())
        with ThreadPoolExecutor() as pool:
            made = pool.submit(create, client, rent("LU-7"))
            assert fault.arrived.wait(10)
            stop.set()
            fault.release()

        assert made.result().mentions("LU-7")

    def test_it_is_looked_at_again_once_the_connection_stands(
        self, new_client: NewClient, paystack: PaystackStandIn, rent: Rent
    ) -> None:
        """Finding and reaching the host can take longer than a claim is good for."""
        client = new_client(stop=SetOnTheSecondLook(), connections=1)
        with pytest.raises(NotSent):
            create(client, rent())
        assert paystack.requests == []

        create(client, rent())

        assert len(paystack.requests) == 1

    def test_a_stale_mark_sends_nothing(
        self, client: PaystackClient, paystack: PaystackStandIn, rent: Rent
    ) -> None:
        with pytest.raises(NotSent, match="expired"):
            create(client, rent(), send_before=0)

        assert paystack.requests == []
