"""A typing slip of who launched a run is on their screen, and wakes nobody; all else does."""

from collections.abc import Callable
from datetime import date
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Connection

from leaseup_dagster.sandbox.builders import a_landlord, a_lease, a_tenant
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from tests.conftest import Run
from tests.operations.conftest import Failed, Inbox

Config = dict[str, dict[str, Any]]

MONEY = {"invoice_id": "i", "decision": "leave", "reason": "x"}
CANCEL = {"invoice_ids": ["i"], "reason": "x", "confirm": True}
SLIPS: list[tuple[str, Config, str]] = [
    ("create_invoice", {"plan_one_invoice": {"lease_id": "lease-plian"}}, "no lease 'lease-plian'"),
    ("create_invoice", {"plan_one_invoice": {"lease_id": "l", "due_date": "31-12"}}, "due_date"),
    ("explain_lease", {"explain_one_lease": {"lease_id": "nobody"}}, "no lease 'nobody'"),
    ("explain_lease", {"explain_one_lease": {"lease_id": "l", "as_of": "soon"}}, "as_of"),
    ("check_upcoming_invoices", {"plan_invoices": {"bill_from": "1999-01-01"}}, "bill_from must"),
    ("check_upcoming_invoices", {"plan_invoices": {"confirm_up_to": -1}}, "confirm_up_to: input"),
    ("send_late_payment_reminders", {"mark_overdue_invoices": {"as_of": "x"}}, "as_of"),
    ("reconcile_payment_requests", {"cut_into_weeks": {"since": "June"}}, "since"),
    ("decide_payment", {"decide": MONEY | {"decision": "keep"}}, "keep"),
    (
        "decide_payment",
        {"decide": MONEY | {"reason": " "}},
        "empty",
    ),
    ("decide_payment", {"decide": MONEY}, "i:"),
    ("create_paystack_customers", {"find_tenants_without_customer": {"renew": True}}, "tenant_ids"),
    ("create_paystack_customers", {"find_tenants_without_customer": {"tenant_ids": ["t"]}}, "no t"),
    ("cancel_invoice", {"choose_invoices_to_cancel": {"reason": "x"}}, "Name either"),
    ("cancel_invoice", {"choose_invoices_to_cancel": CANCEL | {"reason": ""}}, "reason"),
    ("cancel_invoice", {"choose_invoices_to_cancel": CANCEL}, "i:"),
]


def reason(result: dg.ExecuteInProcessResult) -> str:
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    return str(failure.step_failure_data.error.message)


@pytest.mark.parametrize(("job", "config", "said"), SLIPS)
def test_a_slip_of_who_launched_it_is_told_to_nobody_else(
    run: Run, operators: pytest.MonkeyPatch, told_of_failure: Failed, instance: dg.DagsterInstance,
    inbox: Inbox, job: str, config: Config, said: str,
) -> None:  # fmt: skip
    result = run(job, config)

    told_of_failure(result, instance)

    assert said in reason(result)
    assert inbox.messages == []
    last = instance.all_logs(result.run_id)[-1].dagster_event
    assert last is not None
    assert str(last.message).startswith("Why the run failed, and what to do:\n")
    assert said in str(last.message)


@pytest.mark.parametrize(
    "tag", ["dagster/schedule_name", "dagster/sensor_name", "dagster/retry_number",
            "leaseup/launched_by"],
)  # fmt: skip
def test_where_nobody_looks_the_same_slip_is_told(
    run: Run, operators: pytest.MonkeyPatch, told_of_failure: Failed, instance: dg.DagsterInstance,
    inbox: Inbox, tag: str,
) -> None:  # fmt: skip
    job, config, said = SLIPS[0]

    told_of_failure(run(job, config, {tag: "1"}), instance)

    (message,) = inbox.messages
    assert said in message["message"]


@pytest.fixture
def invoice(
    connection: Connection, paystack: PaystackStandIn, run: Run, operators: pytest.MonkeyPatch
) -> str:
    """One that this product made."""
    code = paystack.add_customer("thabo@example.com").customer_code
    landlord = a_landlord(connection)
    tenant = a_tenant(connection, landlord, paystackCustomerId=code)
    a_lease(connection, start=date(2026, 1, 1), landlord=landlord, tenants=[tenant])
    assert run("check_upcoming_invoices", {"plan_invoices": {"as_of": "2026-11-24"}}).success
    return str(connection.exec_driver_sql("SELECT id FROM invoice").scalar_one())


def test_a_look_is_no_failure(run: Run, invoice: str) -> None:
    config = {"choose_invoices_to_cancel": {"invoice_ids": [invoice], "reason": "x"}}

    assert run("cancel_invoice", config).success


def test_a_real_failure_of_a_run_that_a_person_launched_is_told(
    run: Run, invoice: str, told_of_failure: Failed, instance: dg.DagsterInstance, inbox: Inbox,
    paystack: PaystackStandIn,
) -> None:  # fmt: skip
    """One invoice that nobody knows, and one that Paystack does not archive."""
    paystack.faults.on("POST /paymentrequest/archive/:code", Fault.status(500), times=100)
    asked = {"invoice_ids": ["nobody's", invoice], "reason": "x", "confirm": True}

    told_of_failure(run("cancel_invoice", {"choose_invoices_to_cancel": asked}), instance)

    (message,) = inbox.messages
    assert "cancel_invoice failed" in message["title"]


def test_a_wrong_setting_is_told_whoever_launched_the_run(
    run: Run, operators: pytest.MonkeyPatch, told_of_failure: Failed, instance: dg.DagsterInstance,
    inbox: Inbox,
) -> None:  # fmt: skip
    operators.setenv("TASK_BATCH_SIZE", "many")

    told_of_failure(run("check_upcoming_invoices"), instance)

    assert "TASK_BATCH_SIZE" in inbox.messages[0]["message"]


def test_the_digest_counts_no_slips(
    run: Run, operators: pytest.MonkeyPatch, told_of_failure: Callable[..., None],
    instance: dg.DagsterInstance, inbox: Inbox,
) -> None:  # fmt: skip
    for tags in ({}, {"dagster/schedule_name": "some_schedule"}):
        told_of_failure(run(*SLIPS[0][:2], tags), instance)
    inbox.messages.clear()

    assert run("send_daily_digest").success

    assert "1 runs failed" in inbox.messages[0]["message"]
