"""A ladder of reconciliation fixtures: a month that is billed, more requests of it, a run."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Connection, text

from leaseup_dagster.as_of import johannesburg_date
from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.invoicing.rules.references import reference_of
from leaseup_dagster.sandbox.builders import a_landlord, a_lease, a_tenant, a_unit
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.sandbox.paystack_books import StoredPaymentRequest

LEDGER = "leaseup_dagster.invoice_ledger"
NIGHT = "reconcile_payment_requests"

Run = Callable[..., dg.ExecuteInProcessResult]
Lease = Callable[..., LedgerKey]
Make = Callable[..., StoredPaymentRequest]


def today() -> date:
    """Paystack's stand-in dates what it makes by the real clock."""
    return johannesburg_date(datetime.now().astimezone())


@pytest.fixture
def lease(connection: Connection, paystack: PaystackStandIn) -> Lease:
    """Makes a lease whose rent of R8 500.00 falls due in ten days, of a tenant with a customer."""

    def make(**values: object) -> LedgerKey:
        landlord = a_landlord(connection)
        number = connection.execute(text("SELECT count(*) FROM tenant")).scalar_one()
        customer = paystack.add_customer(f"thabo{number}@example.com")
        tenant = a_tenant(connection, landlord, paystackCustomerId=customer.customer_code)
        due = today() + timedelta(days=10)
        defaults = {"start": due, "unit": a_unit(connection, landlord)}
        made = a_lease(connection, landlord=landlord, tenants=[tenant], **(defaults | values))
        return LedgerKey(due, made)

    return make


@pytest.fixture
def billed(run: Run, lease: Lease) -> LedgerKey:
    """One month of one lease, billed by the real job."""
    key = lease()
    assert run("check_upcoming_invoices", {"plan_invoices": {"as_of": str(today())}}).success
    return key


@pytest.fixture
def a_request(paystack: PaystackStandIn) -> Make:
    """Makes a payment request with the month's reference, as a request of ours would."""

    def make(key: LedgerKey, *, billing: int = 1, **fields: Any) -> StoredPaymentRequest:
        reference = reference_of(key, billing)
        described = {
            "reference": reference,
            "lease_id": key.lease_id,
            "due_date": key.due_date.isoformat(),
        }
        defaults = {
            "amount": 850_000,
            "currency": "ZAR",
            "due_date": f"{key.due_date}T21:59:59.000Z",
            "description": f"Rent for Unit 4, Rose Court, ref {reference}",
            "metadata": described if paystack.habits.stores_metadata else None,
            "split_code": None,
        }
        return paystack._books.add(paystack.customers[0], **(defaults | fields))

    return make


@pytest.fixture
def night(run: Run) -> Callable[..., dg.ExecuteInProcessResult]:
    """One run of the job, over the last days only."""

    def reconcile(**config: str) -> dg.ExecuteInProcessResult:
        since = str(today() - timedelta(days=3))
        return run(NIGHT, {"cut_into_weeks": {"since": since, "as_of": str(today())} | config})

    return reconcile


def report_of(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    (event,) = [e for e in result.all_events if e.event_type_value == "ASSET_MATERIALIZATION"]
    metadata = event.step_materialization_data.materialization.metadata
    return {name: value.value for name, value in metadata.items()}


def said(result: dg.ExecuteInProcessResult) -> dict[str, int]:
    """What was found, without the zeros."""
    kinds = (
        "adopted", "marked paid", "archived", "amount differs", "undecided", "of no lease here",
        "failed", "left", "waiting for a person",
    )  # fmt: skip
    report = report_of(result)
    return {kind: report[kind] for kind in kinds if report[kind]}


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    events = [e for e in result.all_events if e.is_failure]
    return "\n".join(str(getattr(e.event_specific_data, "error", "")) for e in events)


def invoices(connection: Connection) -> list[tuple[Any, ...]]:
    """(status, request code) of every invoice."""
    sql = 'SELECT status::text, "paystackId" FROM invoice ORDER BY "createdAt", id'
    return [tuple(row) for row in connection.execute(text(sql))]


def payments(connection: Connection) -> list[tuple[Any, ...]]:
    sql = 'SELECT "amountPaid", "referenceId" FROM transaction ORDER BY "referenceId"'
    return [tuple(row) for row in connection.execute(text(sql))]
