"""The checks of the asset `invoices`: in each run of the job, and launched by themselves."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Connection, text

from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.sandbox.builders import an_invoice
from leaseup_dagster.sandbox.paystack import PaystackStandIn

CHECK = ("check_upcoming_invoices", {"plan_invoices": {"as_of": "2026-11-24"}})
LEDGER = "leaseup_dagster.invoice_ledger"
Run = Callable[..., dg.ExecuteInProcessResult]
Lease = Callable[..., LedgerKey]

ONE, EVERY, NO_REQUEST, ONE_BILLER, AGREE = (
    "one_invoice_per_lease_and_due_date",
    "every_due_lease_billed_or_explained",
    "no_payment_request_without_invoice",
    "only_one_biller",
    "bills_agree_with_their_leases",
)


def evaluations(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    """By check: its metadata, and whether it passed."""
    events = [e for e in result.all_events if e.event_type_value == "ASSET_CHECK_EVALUATION"]
    found = [event.asset_check_evaluation_data for event in events]
    return {
        e.check_name: {"passed": e.passed, **{n: value.value for n, value in e.metadata.items()}}
        for e in found
    }


@pytest.fixture
def billed(run: Run, due_lease: Lease) -> LedgerKey:
    key = due_lease()
    assert run(*CHECK).success
    return key


@pytest.fixture
def audit(run: Run) -> Callable[[], dict[str, dict[str, Any]]]:
    return lambda: evaluations(run("audit_books"))


def test_a_run_evaluates_every_check(run: Run, due_lease: Lease) -> None:
    due_lease()

    checks = evaluations(run(*CHECK))

    assert {name: check["passed"] for name, check in checks.items()} == dict.fromkeys(
        (ONE, EVERY, NO_REQUEST, ONE_BILLER, AGREE), True
    )
    assert checks[EVERY]["months invoiced"] == 1


def test_a_run_that_fails_evaluates_them_too(
    run: Run, due_lease: Lease, paystack: PaystackStandIn
) -> None:
    due_lease()
    paystack.stop()

    result = run(*CHECK)

    assert not result.success
    assert evaluations(result).keys() == {ONE, EVERY, NO_REQUEST, ONE_BILLER, AGREE}


def test_launched_by_themselves_they_need_no_key_and_pass(
    run: Run, billed: LedgerKey, settings: pytest.MonkeyPatch
) -> None:
    settings.delenv("PAYSTACK_SECRET_KEY")

    result = run("audit_books")

    assert result.success
    assert all(check["passed"] for check in evaluations(result).values())


def test_a_check_that_fails_fails_the_run_that_was_launched_for_it(
    run: Run, billed: LedgerKey, connection: Connection
) -> None:
    an_invoice(connection, billed.lease_id, billed.due_date)

    result = run("audit_books")

    check = evaluations(result)[ONE]
    assert not result.success
    assert (check["passed"], check["billed twice"]) == (False, 1)
    assert check["billed twice: ids"] == f"{billed.lease_id} 2026-12-01"
    assert "cancel_invoice" in check["what to do"]


@pytest.mark.parametrize(
    "values", [{"status": "CANCELLED"}, {"category": "DEPOSIT"}], ids=["cancelled", "a deposit"]
)
def test_what_is_not_a_second_bill_is_none(
    audit, billed: LedgerKey, connection: Connection, values: dict[str, str]
) -> None:
    an_invoice(connection, billed.lease_id, billed.due_date, **values)

    assert audit()[ONE]["passed"]


def test_leaseups_own_history_is_not_ours(audit, due_lease: Lease, connection: Connection) -> None:
    key = due_lease()
    for _ in range(2):
        an_invoice(connection, key.lease_id, key.due_date)

    assert audit()[ONE]["passed"]


def test_missed_months_come_with_the_config_that_bills_them(
    run: Run, due_lease: Lease, connection: Connection
) -> None:
    key = due_lease(createdAt="2026-01-01")
    run(*CHECK)
    connection.execute(text(f"UPDATE {LEDGER} SET planned_at = '2026-09-15 05:00Z'"))

    check = evaluations(run(*CHECK))[EVERY]

    assert (check["passed"], check["missed"]) == (False, 2)
    assert check["missed: ids"] == f"{key.lease_id} 2026-10-01, {key.lease_id} 2026-11-01"
    assert 'bill_from: "2026-10-01"' in check["what to do"]


def test_a_planned_month_whose_due_date_passed_is_not_finished(
    run: Run, due_lease: Lease, paystack: PaystackStandIn
) -> None:
    due_lease()
    paystack.stop()
    run(*CHECK)

    check = evaluations(run(CHECK[0], {"plan_invoices": {"as_of": "2026-12-02"}}))[EVERY]

    assert (check["passed"], check["past due and not finished"]) == (False, 1)


def test_a_request_without_an_answer_is_wrong_after_a_day(
    audit, billed: LedgerKey, connection: Connection
) -> None:
    unanswered = f"UPDATE {LEDGER} SET state = 'requesting', attempted_at = now() - interval "

    connection.execute(text(unanswered + "'23 hours'"))
    assert audit()[NO_REQUEST]["passed"]
    connection.execute(text(unanswered + "'25 hours'"))
    assert audit()[NO_REQUEST]["no answer for a day"] == 1


def test_an_invoice_deleted_from_leaseup_is_missed(
    audit, billed: LedgerKey, connection: Connection
) -> None:
    connection.execute(text("DELETE FROM invoice"))

    check = audit()[NO_REQUEST]

    assert (check["passed"], check["invoice gone from LeaseUp"]) == (False, 1)
