"""A tenant's customer that is not its own any more: another address, other mode, gone, blank."""

from collections.abc import Callable
from datetime import date

import pytest
from sqlalchemy import Connection, text

from leaseup_dagster.sandbox.builders import a_lease, a_unit
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from tests.conftest import Run
from tests.customers.conftest import Codes, Tenants

MORNING = "check_upcoming_invoices"
CREATE_CUSTOMER = "POST /customer"
TODAY = {"plan_invoices": {"as_of": "2026-11-24"}}
Lease = Callable[..., str]


@pytest.fixture
def lease(connection: Connection, landlord: str) -> Lease:
    """Makes a lease of the tenant whose rent falls due on 1 December."""

    def make(tenant: str, start: date = date(2026, 1, 1)) -> str:
        home = a_unit(connection, landlord)
        return a_lease(connection, start=start, landlord=landlord, tenants=[tenant], unit=home)

    return make


def correct(connection: Connection, tenant: str, email: str) -> None:
    sql = text("UPDATE tenant SET email = :email WHERE id = :id")
    connection.execute(sql, {"email": email, "id": tenant})


def billed_to(paystack: PaystackStandIn) -> list[str]:
    return [request.customer.email for request in paystack.payment_requests]


def test_a_corrected_address_has_its_own_customer_by_the_next_bill(
    run: Run, tenants: Tenants, lease: Lease, codes: Codes, connection: Connection,
    paystack: PaystackStandIn,
) -> None:  # fmt: skip
    (tenant,) = tenants(email="tpyo@example.com")
    lease(tenant)
    assert run(MORNING, TODAY).success
    correct(connection, tenant, "typo@example.com")
    lease(tenant, date(2026, 1, 2))

    assert run(MORNING, TODAY).success

    assert billed_to(paystack) == ["tpyo@example.com", "typo@example.com"]
    assert codes()[tenant] == paystack.customers[1].customer_code


def test_a_customer_that_leaseup_made_is_taken_for_the_address_of_the_day_it_is_first_seen(
    run: Run, tenants: Tenants, lease: Lease, connection: Connection, paystack: PaystackStandIn
) -> None:
    known = paystack.add_customer("old@example.com").customer_code
    (tenant,) = tenants(email="old@example.com", paystackCustomerId=known)
    lease(tenant)
    assert run(MORNING, TODAY).success
    correct(connection, tenant, " NEW@example.com")
    lease(tenant, date(2026, 1, 2))

    assert run(MORNING, TODAY).success

    assert billed_to(paystack) == ["old@example.com", "new@example.com"]


def test_another_spelling_of_the_address_is_no_correction(
    run: Run, tenants: Tenants, lease: Lease, connection: Connection, paystack: PaystackStandIn
) -> None:
    (tenant,) = tenants(email="thandi@example.com")
    lease(tenant)
    assert run(MORNING, TODAY).success
    correct(connection, tenant, " Thandi@Example.com ")
    lease(tenant, date(2026, 1, 2))

    assert run(MORNING, TODAY).success

    assert len(paystack.requests_to(CREATE_CUSTOMER)) == 1


def test_a_request_that_is_out_is_looked_for_under_the_customer_it_was_made_with(
    run: Run, tenants: Tenants, lease: Lease, connection: Connection, paystack: PaystackStandIn,
    settings: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    settings.setenv("TASK_MAX_DURATION_SECONDS", "30")  # no time to wait for what has no answer
    (tenant,) = tenants(email="tpyo@example.com")
    lease(tenant)
    paystack.faults.on_create(Fault.drop_after_accepting())
    run(MORNING, TODAY)
    correct(connection, tenant, "typo@example.com")
    lease(tenant, date(2026, 1, 2))

    run(MORNING, TODAY)

    assert billed_to(paystack) == ["tpyo@example.com", "typo@example.com"]
    count = text("SELECT count(*) FROM invoice")
    assert connection.execute(count).scalar_one() == 2


@pytest.mark.parametrize("blank", ["", " ", "\t\n"])
def test_a_blank_customer_id_is_none(
    run: Run, tenants: Tenants, lease: Lease, codes: Codes, paystack: PaystackStandIn, blank: str
) -> None:
    (tenant,) = tenants(paystackCustomerId=blank)
    lease(tenant)

    assert run(MORNING, TODAY).success

    assert codes()[tenant] == paystack.customers[0].customer_code
    assert len(paystack.payment_requests) == 1


def test_a_customer_that_paystack_does_not_know_is_named_with_its_tenant_and_made_anew(
    run: Run, tenants: Tenants, lease: Lease, codes: Codes, connection: Connection,
    paystack: PaystackStandIn,
) -> None:  # fmt: skip
    (tenant,) = tenants(paystackCustomerId="CUS_of_the_other_mode")
    lease(tenant)

    assert not run(MORNING, TODAY).success

    sql = text("SELECT error FROM leaseup_dagster.invoice_ledger WHERE state = 'refused'")
    why = connection.execute(sql).scalar_one()
    assert f"of tenant {tenant} under this key: it was made in the other mode, or deleted" in why
    asked = {"tenant_ids": [tenant], "renew": True}
    assert run("create_paystack_customers", {"find_tenants_without_customer": asked}).success
    assert codes()[tenant] == paystack.customers[0].customer_code
    assert run(MORNING, TODAY).success
    assert len(paystack.payment_requests) == 1


def test_renewing_leaves_a_customer_alone_that_paystack_knows(
    run: Run, tenants: Tenants, codes: Codes, paystack: PaystackStandIn
) -> None:
    known = paystack.add_customer("thandi@example.com").customer_code
    (tenant,) = tenants(email="thandi@example.com", paystackCustomerId=known)

    asked = {"tenant_ids": [tenant], "renew": True}
    assert run("create_paystack_customers", {"find_tenants_without_customer": asked}).success

    assert codes() == {tenant: known}
    assert paystack.requests_to(CREATE_CUSTOMER) == []


def test_renewing_everybody_is_a_slip(run: Run, tenants: Tenants) -> None:
    tenants()

    asked = {"renew": True}
    assert not run("create_paystack_customers", {"find_tenants_without_customer": asked}).success


def test_a_word_in_html_of_paystacks_edge_is_not_held_against_the_tenant(
    run: Run, tenants: Tenants, lease: Lease, connection: Connection, paystack: PaystackStandIn
) -> None:
    (tenant,) = tenants()
    lease(tenant)
    paystack.faults.on(CREATE_CUSTOMER, Fault.status(400, html=True), times=None)

    assert not run(MORNING, TODAY).success

    refusals = text("SELECT count(*) FROM leaseup_dagster.customer_refusal")
    assert connection.execute(refusals).scalar_one() == 0
    paystack.faults.clear()
    assert run(MORNING, TODAY).success
    assert len(paystack.payment_requests) == 1
