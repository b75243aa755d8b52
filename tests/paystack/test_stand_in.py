"""The stand-in behaves as Paystack does where it matters, and breaks on request."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.sandbox.paystack_books import StoredCustomer
from tests.paystack.conftest import KEY

Bill = Callable[..., httpx.Response]


@pytest.fixture
def api(paystack: PaystackStandIn) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=paystack.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=10
    ) as api:
        yield api


@pytest.fixture
def bill(api: httpx.Client, customer: StoredCustomer) -> Bill:
    def post(**fields: Any) -> httpx.Response:
        usual = {"customer": customer.customer_code, "amount": 100}
        return api.post("/paymentrequest", json=usual | fields)

    return post


def test_a_currency_that_is_not_given_is_naira(bill: Bill) -> None:
    assert bill().json()["data"]["currency"] == "NGN"


def test_metadata_comes_back_as_strings(bill: Bill) -> None:
    assert bill(metadata={"n": 42, "s": "x"}).json()["data"]["metadata"] == {"n": "42", "s": "x"}


def test_metadata_can_be_lost(bill: Bill, paystack: PaystackStandIn) -> None:
    paystack.habits.stores_metadata = False

    assert bill(metadata={"reference": "LU-1"}).json()["data"]["metadata"] is None


def test_an_unknown_field_is_dropped_without_a_word(bill: Bill) -> None:
    assert "subaccount" not in bill(subaccount="ACCT_1").json()["data"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"amount": 100.5}, '"amount" must be an integer'),
        ({"amount": "100.50"}, '"amount" must be an integer'),
        ({"amount": None}, '"amount" must be an integer'),
        ({"amount": 0}, "Invalid Amount Sent"),
        ({"amount": -1}, "Invalid Amount Sent"),
        ({"customer": "CUS_none"}, "Customer not found"),
        ({"currency": "USD"}, "Currency not supported by merchant"),
        ({"due_date": "tomorrow"}, '"due_date" must be a valid ISO 8601 date'),
    ],
)
def test_what_paystack_refuses_is_refused(
    bill: Bill, paystack: PaystackStandIn, fields: dict[str, Any], message: str
) -> None:
    answer = bill(**fields)

    assert (answer.status_code, answer.json()["message"]) == (400, message)
    assert paystack.payment_requests == []


@pytest.mark.parametrize("amount", [100, 100.0, "100"])
def test_whole_amounts_pass_however_they_are_written(bill: Bill, amount: object) -> None:
    assert bill(amount=amount).json()["data"]["amount"] == 100


def test_a_bare_due_date_is_midnight_in_utc(bill: Bill) -> None:
    stored = bill(due_date="2026-12-01").json()["data"]["due_date"]

    assert stored == "2026-12-01T00:00:00.000Z"


@pytest.mark.parametrize("path", ["/customer", "/customer/"])
def test_a_known_email_gives_the_known_customer(
    api: httpx.Client, customer: StoredCustomer, path: str
) -> None:
    answer = api.post(path, json={"email": customer.email})

    assert (answer.status_code, answer.json()["data"]["id"]) == (200, customer.id)


def test_lists_are_filtered_by_the_numeric_customer_only(
    api: httpx.Client, bill: Bill, customer: StoredCustomer
) -> None:
    bill()

    by_id = api.get("/paymentrequest", params={"customer": customer.id}).json()
    by_code = api.get("/paymentrequest", params={"customer": customer.customer_code}).json()

    assert (len(by_id["data"]), len(by_code["data"])) == (1, 0)


def test_a_new_request_can_be_late_in_the_list(
    api: httpx.Client, bill: Bill, paystack: PaystackStandIn
) -> None:
    paystack.habits.list_delay = 2
    bill()

    seen = [len(api.get("/paymentrequest").json()["data"]) for _ in range(4)]

    assert seen == [0, 0, 1, 1]


def test_a_late_one_can_be_revealed(
    api: httpx.Client, bill: Bill, paystack: PaystackStandIn
) -> None:
    paystack.habits.list_delay = float("inf")
    bill()
    assert api.get("/paymentrequest").json()["data"] == []

    paystack.reveal()

    assert len(api.get("/paymentrequest").json()["data"]) == 1


def test_each_endpoint_has_its_own_limit(
    api: httpx.Client, bill: Bill, paystack: PaystackStandIn
) -> None:
    paystack.habits.rate_limit = 2

    statuses = [bill().status_code for _ in range(3)]

    assert statuses == [200, 200, 429]
    assert api.get("/paymentrequest").status_code == 200
    assert 1 <= int(bill().headers["x-ratelimit-reset"]) <= 60


def test_a_fault_happens_to_the_matching_request_as_often_as_it_is_told(
    bill: Bill, paystack: PaystackStandIn
) -> None:
    paystack.faults.on_create(Fault.refuse(400, "Blocked"), matching="LU-7", times=2)

    statuses = [bill(description=f"Rent {name}").status_code for name in ("LU-1", "LU-7") * 3]

    assert statuses == [200, 400, 200, 400, 200, 200]


def test_faults_are_taken_in_order(bill: Bill, paystack: PaystackStandIn) -> None:
    for status in (503, 502):
        paystack.faults.on_create(Fault.status(status))

    assert [bill().status_code for _ in range(3)] == [503, 502, 200]


@pytest.mark.parametrize(("end", "made"), [(Fault.release, 1), (Fault.abandon, 0)])
def test_silence_before_accepting_ends_either_way(
    bill: Bill, paystack: PaystackStandIn, end: Callable[[Fault], None], made: int
) -> None:
    fault = paystack.faults.on_create(Fault.hang_before_accepting())
    with ThreadPoolExecutor() as pool:
        call = pool.submit(bill)
        assert fault.arrived.wait(10)
        assert paystack.payment_requests == []
        end(fault)

    assert isinstance(call.exception(), httpx.TransportError) is (made == 0)
    assert len(paystack.payment_requests) == made


def test_stopped_and_started_it_keeps_its_address_and_books(
    bill: Bill, paystack: PaystackStandIn
) -> None:
    bill()
    paystack.stop()
    with pytest.raises(httpx.ConnectError):
        bill()

    paystack.start()

    assert bill().status_code == 200
    assert len(paystack.payment_requests) == 2


def test_it_leaves_no_thread_behind() -> None:
    before = threading.active_count()

    with PaystackStandIn() as paystack:
        httpx.get(paystack.url)

    assert threading.active_count() == before


def test_hundreds_at_once_wait_together(bill: Bill, paystack: PaystackStandIn) -> None:
    paystack.habits.latency_seconds = 0.05

    with ThreadPoolExecutor(50) as pool:
        statuses = list(pool.map(lambda _: bill().status_code, range(200)))

    assert statuses == [200] * 200


def test_as_a_process_of_its_own_it_can_be_watched_paid_and_ended() -> None:
    command = [sys.executable, "-m", "leaseup_dagster.sandbox.paystack", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().split()[-1]
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}) as api:
            customer = api.post("/customer", json={"email": "thandi@example.com"}).json()["data"]
            made = api.post("/paymentrequest", json={"customer": customer["id"], "amount": 100})
            api.post(f"/_sandbox/pay/{made.json()['data']['request_code']}")
            state = json.loads(api.get("/_sandbox/state").text)
        process.send_signal(signal.SIGTERM)

    assert [request["paid"] for request in state["payment_requests"]] == [True]
    assert process.returncode == 0
