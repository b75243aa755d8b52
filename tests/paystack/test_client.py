"""The client against a Paystack on loopback that is healthy."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

import pytest

from leaseup_dagster.paystack.client import CREATE, PaystackClient
from leaseup_dagster.paystack.errors import NotFound
from leaseup_dagster.paystack.models import NewCustomer
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.sandbox.paystack_books import StoredCustomer
from tests.paystack.conftest import FakeQuota, NewClient, Rent, create


class TestCreatingAPaymentRequest:
    def test_it_is_sent_in_paystack_s_words(
        self, client: PaystackClient, paystack: PaystackStandIn, rent: Rent
    ) -> None:
        create(client, rent("LU-7", split_code="SPL_1"))

        assert paystack.requests[0].body == {
            "customer": paystack.customers[0].id,
            "amount": 1_250_000,
            "currency": "ZAR",
            "due_date": "2026-12-01T21:59:59Z",
            "description": "Rent December 2026 LU-7",
            "metadata": {"reference": "LU-7"},
            "send_notification": False,
            "split_code": "SPL_1",
        }

    def test_what_exists_now_is_returned(
        self, client: PaystackClient, paystack: PaystackStandIn, rent: Rent
    ) -> None:
        made = create(client, rent("LU-7"))

        [stored] = paystack.live_requests_for("LU-7")
        assert (made.id, made.request_code, made.amount_cents, made.customer_id) == (
            stored.id,
            stored.request_code,
            1_250_000,
            stored.customer.id,
        )

    def test_it_is_one_request_and_takes_no_slot_of_its_own(
        self, client: PaystackClient, paystack: PaystackStandIn, quota: FakeQuota, rent: Rent
    ) -> None:
        client.wait_for_slot_to_create()
        create(client, rent())

        assert quota.reserved == [CREATE]
        assert len(paystack.requests) == 1

    def test_a_connection_is_used_again(
        self, client: PaystackClient, paystack: PaystackStandIn, rent: Rent
    ) -> None:
        for number in range(5):
            create(client, rent(f"LU-{number}"))

        assert paystack.connections == 1

    def test_a_field_that_paystack_adds_is_no_trouble(
        self, client: PaystackClient, paystack: PaystackStandIn, rent: Rent
    ) -> None:
        paystack.faults.on_create(Fault.with_fields(risk={"score": 1}, customer={"id": 5}))

        assert create(client, rent()).customer_id == 5


class TestOnePaymentRequest:
    def test_a_payment_is_seen(
        self, client: PaystackClient, paystack: PaystackStandIn, rent: Rent
    ) -> None:
        code = create(client, rent()).request_code
        paystack.pay(code)

        fetched, verified = client.fetch_payment_request(code), client.verify_payment_request(code)

        assert (verified.paid, verified.status, verified.pending_amount_cents) == (
            True,
            "success",
            0,
        )
        assert (fetched.amount_paid_cents, fetched.archived) == (1_250_000, False)
        assert fetched.transactions[0].reference.startswith("T")

    def test_a_part_payment_is_not_paid(
        self, client: PaystackClient, paystack: PaystackStandIn, rent: Rent
    ) -> None:
        code = create(client, rent()).request_code
        paystack.pay(code, 250_000)

        verified = client.verify_payment_request(code)

        assert (verified.paid, verified.pending_amount_cents) == (False, 1_000_000)

    def test_archived_it_is_fetched_but_not_verified(
        self, client: PaystackClient, rent: Rent
    ) -> None:
        code = create(client, rent()).request_code

        client.archive_payment_request(code)

        assert client.fetch_payment_request(code).archived is True
        with pytest.raises(NotFound):
            client.verify_payment_request(code)

    def test_each_notice_is_one_more_mail(
        self, client: PaystackClient, paystack: PaystackStandIn, rent: Rent
    ) -> None:
        code = create(client, rent(send_notification=True)).request_code

        client.notify_customer(code)

        assert len(paystack.payment_requests[0].notifications) == 2

    @pytest.mark.parametrize("name", ["fetch_payment_request", "verify_payment_request"])
    def test_an_unknown_code_is_not_found(self, client: PaystackClient, name: str) -> None:
        """Paystack answers one with 400, the other with 404."""
        with pytest.raises(NotFound):
            getattr(client, name)("PRQ_none")


class TestCustomers:
    def test_the_same_email_is_the_same_customer(self, client: PaystackClient) -> None:
        first = client.create_customer(NewCustomer(email="thandi@example.com", first_name="T"))
        again = client.create_customer(NewCustomer(email=" Thandi@example.com"))

        assert again == first

    def test_one_is_found_by_email_and_by_code(
        self, client: PaystackClient, paystack: PaystackStandIn
    ) -> None:
        made = paystack.add_customer("thandi+rent@example.com")

        by_email = client.fetch_customer("Thandi+rent@example.com")
        by_code = client.fetch_customer(made.customer_code)

        assert by_email.id == by_code.id == made.id

    def test_an_unknown_one_is_not_found(self, client: PaystackClient) -> None:
        with pytest.raises(NotFound):
            client.fetch_customer("nobody@example.com")


def test_every_call_takes_its_turn_at_its_own_endpoint(
    client: PaystackClient, quota: FakeQuota, customer: StoredCustomer, rent: Rent
) -> None:
    code = create(client, rent()).request_code
    now = datetime.now(tz=timezone.utc)

    client.fetch_payment_request(code)
    client.verify_payment_request(code)
    client.notify_customer(code)
    client.archive_payment_request(code)
    client.create_customer(NewCustomer(email="sipho@example.com"))
    client.fetch_customer(customer.customer_code)
    list(client.payment_requests_between(now, now))

    assert quota.reserved == [
        "GET /paymentrequest/:code",
        "GET /paymentrequest/verify/:code",
        "POST /paymentrequest/notify/:code",
        "POST /paymentrequest/archive/:code",
        "POST /customer",
        "GET /customer/:code",
        "GET /paymentrequest",
    ]


def test_many_threads_share_one_client(
    new_client: NewClient, paystack: PaystackStandIn, rent: Rent
) -> None:
    client = new_client(connections=8)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: create(client, rent(f"LU-{n}")).id, range(40)))

    assert len(set(made)) == len(paystack.payment_requests) == 40
    assert paystack.connections <= 8
