"""The protocol, against the stand-in over real HTTP, with everything that goes wrong."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from leaseup_dagster.customers import missing
from leaseup_dagster.customers.registration import Kind, Outcome, Registration
from leaseup_dagster.sandbox.builders import a_landlord
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from tests.customers.conftest import Codes, Tenants

CREATE = "POST /customer"
Register = Callable[[list[str]], list[Outcome]]


@pytest.fixture
def register(registration: Registration) -> Register:
    return lambda tenant_ids: registration.register_all(tenant_ids, width=10, seconds=60)


def kinds(outcomes: list[Outcome]) -> Counter[Kind]:
    return Counter(outcome.kind for outcome in outcomes)


def test_a_tenant_gets_the_customer_made_for_it(
    register: Register, tenants: Tenants, codes: Codes, paystack: PaystackStandIn
) -> None:
    (tenant,) = tenants(email=" Thandi@Example.com", phone="082 123 4567")

    assert kinds(register([tenant])) == {Kind.REGISTERED: 1}
    (customer,) = paystack.customers
    assert codes() == {tenant: customer.customer_code}
    assert (customer.email, customer.phone) == ("thandi@example.com", "+27821234567")


def test_while_it_lasts_it_says_how_far_it_is(
    registration: Registration, tenants: Tenants, monkeypatch: pytest.MonkeyPatch,
    paystack: PaystackStandIn,
) -> None:  # fmt: skip
    monkeypatch.setattr("leaseup_dagster.stopping.PROGRESS_SECONDS", 0)
    said: list[str] = []

    registration.register_all(tenants(3), width=1, seconds=60, on_progress=said.append)

    assert said[-1].startswith("Paystack customers: 3 of 3 done, ")


def test_paystack_is_told_the_tenant_id_and_the_source_and_no_more(
    register: Register, tenants: Tenants, paystack: PaystackStandIn
) -> None:
    (tenant,) = tenants()
    register([tenant])

    assert paystack.customers[0].metadata == {"tenant_id": tenant, "source": "leaseup"}


def test_a_phone_field_that_is_no_number_stands_in_nobody_s_way(
    register: Register, tenants: Tenants, paystack: PaystackStandIn
) -> None:
    assert kinds(register(tenants(phone="ask Sipho"))) == {Kind.REGISTERED: 1}
    assert paystack.customers[0].phone is None


def test_a_customer_that_paystack_knows_already_is_taken(
    register: Register, tenants: Tenants, codes: Codes, paystack: PaystackStandIn
) -> None:
    known = paystack.add_customer("thandi@example.com").customer_code
    (tenant,) = tenants(email="Thandi@example.com")

    register([tenant])

    assert codes() == {tenant: known}


def test_a_paystack_that_says_already_exists_is_asked_for_the_customer(
    register: Register, tenants: Tenants, codes: Codes, paystack: PaystackStandIn
) -> None:
    known = paystack.add_customer("thandi@example.com").customer_code
    (tenant,) = tenants(email="thandi@example.com")
    paystack.faults.on(CREATE, Fault.refuse(409, "Customer already exists"))

    register([tenant])

    assert codes() == {tenant: known}


def test_two_tenants_with_one_email_get_one_customer_with_one_request(
    register: Register, tenants: Tenants, codes: Codes, connection: Connection,
    paystack: PaystackStandIn,
) -> None:  # fmt: skip
    first = tenants(email="both@example.com")
    second = tenants(email="Both@Example.com ", landlordId=a_landlord(connection))

    assert kinds(register(first + second)) == {Kind.REGISTERED: 2}
    assert set(codes().values()) == {paystack.customers[0].customer_code}
    assert len(paystack.requests) == 1


def test_one_who_is_refused_does_not_take_the_other_with_its_email_along(
    register: Register, tenants: Tenants, codes: Codes, connection: Connection,
    paystack: PaystackStandIn,
) -> None:  # fmt: skip
    (first,) = tenants(email="both@example.com", lastName="")
    (second,) = tenants(email="both@example.com", landlordId=a_landlord(connection))
    paystack.faults.on(CREATE, Fault.refuse(400, "last_name is required"), matching=first)

    register([first, second])

    assert codes() == {first: None, second: paystack.customers[0].customer_code}


def test_a_malformed_email_is_remembered_and_nobody_is_asked(
    register: Register, tenants: Tenants, connection: Connection, paystack: PaystackStandIn
) -> None:
    (tenant,) = tenants(email="thandi.example.com")

    (outcome,) = register([tenant])

    assert outcome.kind is Kind.REFUSED
    assert outcome.why == "its e-mail address is malformed: it has no @"
    assert missing.statuses(connection, [tenant])[0].refusal == outcome.why
    assert paystack.requests == []


def test_what_paystack_refuses_is_not_sent_again_with_the_same_data(
    register: Register, tenants: Tenants, paystack: PaystackStandIn
) -> None:
    (tenant,) = tenants(email="thandi@gmial.example")
    paystack.faults.on(CREATE, Fault.refuse(400, "Invalid Email Address Passed", "invalid_email"))

    assert kinds(register([tenant])) == {Kind.REFUSED: 1}
    assert register([tenant]) == []
    assert len(paystack.requests) == 1


def test_a_reason_tells_no_name_address_or_number_of_the_tenant(
    register: Register, tenants: Tenants, paystack: PaystackStandIn
) -> None:
    (tenant,) = tenants(email="thandi@example.com", firstName="Thandi", lastName="Van Wyk")
    said = "Thandi van wyk <thandi@example.com> +27821234567 is barred"
    paystack.faults.on(CREATE, Fault.refuse(400, said))

    (outcome,) = register([tenant])

    assert outcome.why == "Paystack API error 400: [name] [name] <[e-mail]> [number] is barred"


NO_ANSWER = {
    "500 before": Fault.status(500),
    "502 after, in HTML": Fault.status(502, accepted=True, html=True),
    "cut before": Fault.drop_before_accepting(),
    "cut after": Fault.drop_after_accepting(),
    "half an answer": Fault.truncated(),
    "200 that says false": Fault.status_false(),
    "200 in HTML": Fault.success_in_html(),
    "no code in it": Fault.without("customer_code"),
}


def test_without_an_answer_it_is_asked_again_and_there_is_one_customer(
    register: Register, tenants: Tenants, codes: Codes, paystack: PaystackStandIn
) -> None:
    everybody = tenants(len(NO_ANSWER))
    for tenant, fault in zip(everybody, NO_ANSWER.values(), strict=True):
        paystack.faults.on(CREATE, fault, matching=f'"{tenant}"')

    assert kinds(register(everybody)) == {Kind.FAILED: len(NO_ANSWER)}
    assert kinds(register(everybody)) == {Kind.REGISTERED: len(NO_ANSWER)}
    assert sorted(codes().values(), key=str) == sorted(c.customer_code for c in paystack.customers)


def test_no_tenant_is_remembered_for_what_is_not_its_own_fault(
    register: Register, tenants: Tenants, connection: Connection, paystack: PaystackStandIn
) -> None:
    """A wrong PAYSTACK_BASE_URL would shut everybody out for ever."""
    wrong = tenants(3)
    for tenant, status in zip(wrong, (403, 404, 405), strict=True):
        paystack.faults.on(CREATE, Fault.refuse(status, "Not here"), matching=f'"{tenant}"')

    assert kinds(register(wrong)) == {Kind.NOT_ALLOWED: 3}
    assert missing.tenants_to_register(connection, [], 9) == tuple(sorted(wrong))


def test_an_answer_with_another_s_email_is_nobody_s_customer(
    register: Register, tenants: Tenants, codes: Codes, paystack: PaystackStandIn
) -> None:
    (tenant,) = tenants()
    paystack.faults.on(CREATE, Fault.with_fields(email="stranger@example.com"))

    assert kinds(register([tenant])) == {Kind.NOT_ALLOWED: 1}
    assert codes() == {tenant: None}


def test_one_bad_tenant_stops_no_other(
    register: Register, tenants: Tenants, codes: Codes, paystack: PaystackStandIn
) -> None:
    bad, *good = tenants(25)
    paystack.faults.on(CREATE, Fault.status(500), matching=f'"{bad}"')

    assert kinds(register([bad, *good])) == {Kind.REGISTERED: 24, Kind.FAILED: 1}
    assert [tenant for tenant, code in codes().items() if code is None] == [bad]


def test_after_a_rejected_key_hardly_anything_is_sent(
    register: Register, tenants: Tenants, paystack: PaystackStandIn
) -> None:
    paystack.habits.keys = set()

    outcomes = register(tenants(50))

    assert kinds(outcomes) == {Kind.KEY_REJECTED: 50}
    assert "Set PAYSTACK_SECRET_KEY" in str(outcomes[0].why)
    assert len(paystack.requests) <= 10, "one for each that was under way already"


def test_nothing_is_sent_when_there_is_no_time_left(
    registration: Registration, tenants: Tenants, paystack: PaystackStandIn
) -> None:
    assert registration.register_all(tenants(3), width=10, seconds=0) == []
    assert paystack.requests == []


def test_told_to_stop_it_records_what_is_under_way_and_sends_no_more(
    registration: Registration, tenants: Tenants, paystack: PaystackStandIn
) -> None:
    everybody = tenants(30)
    paystack.faults.on(CREATE, _Stopping(registration), times=1)

    outcomes = registration.register_all(everybody, width=2, seconds=60)

    found = kinds(outcomes)
    assert found[Kind.REGISTERED] + found[Kind.STOPPED] == 30
    assert found[Kind.REGISTERED] == len(paystack.customers) <= 3


class _Stopping(Fault):
    """As it is accepted, the run is asked to stop."""

    def __init__(self, registration: Registration) -> None:
        def stop(reply: Any) -> Any:
            registration.paystack.stop.set()
            return reply

        super().__init__(ending=stop)


def test_a_tenant_that_was_registered_meanwhile_keeps_its_customer(
    registration: Registration, tenants: Tenants, connection: Connection, codes: Codes
) -> None:
    (tenant,) = tenants()
    (registrant,) = missing.registrants(connection, [tenant])
    missing.store_customer(connection, registrant, "CUS_first")

    (outcome,) = registration.register([registrant])

    assert outcome.kind is Kind.OVERTAKEN
    assert codes() == {tenant: "CUS_first"}
