"""A run is killed at each step; the next one leaves every tenant with one customer."""

import signal
from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest

from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from tests.conftest import until
from tests.customers.conftest import JOB, Codes, Tenants
from tests.processes import Child

pytestmark = pytest.mark.faults

Start = Callable[[str], Child]
Run = Callable[..., dg.ExecuteInProcessResult]


def assert_each_has_its_own_customer(codes: Codes, paystack: PaystackStandIn) -> None:
    assert sorted(codes().values(), key=str) == sorted(c.customer_code for c in paystack.customers)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault.hang_before_accepting, id="before Paystack makes the customer"),
        pytest.param(Fault.hang_after_accepting, id="after it was made, before the answer"),
    ],
)
def test_killed_while_paystack_is_asked(
    start: Start, tenants: Tenants, run: Run, codes: Codes, paystack: PaystackStandIn,
    fault: Callable[[], Fault],
) -> None:  # fmt: skip
    tenants(3)
    silence = paystack.faults.on("POST /customer", fault())
    child = start(JOB)
    assert silence.arrived.wait(30)

    child.kill()
    silence.abandon()

    assert run(JOB).success
    assert_each_has_its_own_customer(codes, paystack)


def test_killed_after_the_answer_before_the_code_is_stored(
    start: Start, gate: Callable[..., Any], tenants: Tenants, run: Run, codes: Codes,
    paystack: PaystackStandIn,
) -> None:  # fmt: skip
    tenants(3)
    held = gate("tenant", "UPDATE")
    child = start(JOB)
    held.wait_until_reached()

    child.kill()
    held.open()

    assert run(JOB).success
    assert_each_has_its_own_customer(codes, paystack)


def test_killed_when_some_are_stored_and_nothing_is_reported(
    start: Start, gate: Callable[..., Any], tenants: Tenants, run: Run, codes: Codes,
    paystack: PaystackStandIn,
) -> None:  # fmt: skip
    last = tenants(3)[-1]
    held = gate("tenant", "UPDATE", f"NEW.id = '{last}'")
    child = start(JOB)
    held.wait_until_reached()
    until(lambda: len([code for code in codes().values() if code]) == 2)

    child.kill()
    held.open()

    assert run(JOB).success
    assert_each_has_its_own_customer(codes, paystack)


def test_killed_before_a_refusal_is_remembered(
    start: Start, gate: Callable[..., Any], tenants: Tenants, run: Run, codes: Codes,
    paystack: PaystackStandIn,
) -> None:  # fmt: skip
    tenants(email="thandi.example.com")
    held = gate("leaseup_dagster.customer_refusal", "INSERT")
    child = start(JOB)
    held.wait_until_reached()

    child.kill()
    held.open()

    assert not run(JOB).success, "the refusal was reported to nobody yet"
    assert run(JOB).success
    assert paystack.requests == []


def test_told_to_stop_it_records_what_is_under_way_and_asks_no_more(
    start: Start, tenants: Tenants, codes: Codes, paystack: PaystackStandIn
) -> None:
    tenants(60)
    silence = paystack.faults.on("POST /customer", Fault.hang_after_accepting(), times=None)
    child = start(JOB)
    until(lambda: len(paystack.requests) == 10)

    child.send_signal(signal.SIGTERM)
    silence.release()

    assert child.wait(30) != 0
    assert len(paystack.requests) <= 20, "ten were under way, and no batch came after them"
    assert len([code for code in codes().values() if code]) == len(paystack.customers)
