"""The jobs as a person launches them: what they do, what they show, when they fail."""

from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timezone
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Connection, text

from leaseup_dagster.invoicing.jobs import invoicing_at_seven
from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.invoicing.rules.skip_reasons import SkipReason
from leaseup_dagster.sandbox.builders import a_landlord, a_lease, a_tenant, an_invoice
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn

AS_OF = {"as_of": "2026-11-24"}
CHECK = ("check_upcoming_invoices", {"plan_invoices": AS_OF})
Run = Callable[..., dg.ExecuteInProcessResult]
Lease = Callable[..., LedgerKey]


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    """What the failed run says, causes included."""
    said = []
    for event in result.all_events:
        error = getattr(event.event_specific_data, "error", None) if event.is_failure else None
        while error:
            said.append(error.message)
            error = error.cause
    return "\n".join(said)


def report_of(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    (event,) = [e for e in result.all_events if e.event_type_value == "ASSET_MATERIALIZATION"]
    metadata = event.step_materialization_data.materialization.metadata
    return {name: value.value for name, value in metadata.items()}


def preview_of(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    (output,) = [e for e in result.all_events if e.event_type_value == "STEP_OUTPUT"]
    return {name: value.value for name, value in output.event_specific_data.metadata.items()}


def states(connection: Connection) -> Counter[str]:
    sql = "SELECT state FROM leaseup_dagster.invoice_ledger"
    return Counter(connection.execute(text(sql)).scalars())


def test_every_due_lease_is_billed_once_however_often_the_job_runs(
    run: Run, paystack: PaystackStandIn, connection: Connection, due_lease: Lease
) -> None:
    for _ in range(23):
        due_lease()

    first, second = run(*CHECK), run(*CHECK)

    assert first.success
    assert second.success
    assert len(paystack.payment_requests) == 23
    # One for each invoice; and before the first, one check what the ledger may no longer have.
    assert Counter(seen.endpoint for seen in paystack.requests) == {
        "POST /paymentrequest": 23,
        "GET /paymentrequest": 1,
    }
    assert connection.execute(text("SELECT count(*) FROM invoice")).scalar() == 23


def test_tenants_without_a_customer_get_one_first(
    run: Run, paystack: PaystackStandIn, connection: Connection
) -> None:
    a_lease(connection, start=date(2026, 1, 1))

    assert run(*CHECK).success
    stored = connection.execute(text('SELECT "paystackCustomerId" FROM tenant')).scalar_one()
    assert stored == paystack.payment_requests[0].customer.customer_code


def test_two_tenants_with_one_email_share_a_customer_and_are_billed_apart(
    run: Run, paystack: PaystackStandIn, connection: Connection
) -> None:
    for _ in range(2):
        landlord = a_landlord(connection)
        tenant = a_tenant(connection, landlord, email="Both@Example.com ")
        a_lease(connection, start=date(2026, 1, 1), landlord=landlord, tenants=[tenant])

    assert run(*CHECK).success
    assert (len(paystack.customers), len(paystack.payment_requests)) == (1, 2)


def test_the_report_says_what_was_billed_and_skipped(
    run: Run, due_lease: Lease, connection: Connection
) -> None:
    billed, odd = due_lease(), due_lease(rentDueCurrency="USD")
    an_invoice(connection, due_lease().lease_id, date(2026, 12, 1), status="PAID")

    report = report_of(run(*CHECK))

    numbers = {name: value for name, value in report.items() if isinstance(value, int | float)}
    assert list(numbers.items()) == [
        ("billed invoices", 1), ("billed rands", 8500.0),
        ("failed invoices", 0), ("skipped leases", 2),
    ]  # fmt: skip
    assert sorted(numbers) == list(numbers)  # the order in which Dagster plots them
    assert report["report"].startswith(
        "Invoicing as of 2026-11-24: 1 invoice for R8 500.00; 0 not created; 2 leases skipped:"
        " 1 billed already, 1 with a rent that is not in rand"
    )
    assert [row.data["lease"] for row in report["billed"].records] == [billed.lease_id]
    skipped = {row.data["reason"]: row.data for row in report["skipped by reason"].records}
    assert skipped["already_invoiced"]["leases"] == 1
    assert skipped["currency_not_rand"]["leases to check"] == odd.lease_id


def test_the_report_has_the_landlords_and_what_each_was_billed(
    run: Run, due_lease: Lease, connection: Connection, paystack: PaystackStandIn
) -> None:
    landlord = a_landlord(connection)
    other, refused = due_lease(), due_lease()
    for _ in range(2):
        tenant = a_tenant(connection, landlord)
        a_lease(connection, start=date(2026, 1, 1), landlord=landlord, tenants=[tenant])
    fault = Fault.refuse(400, "Split code is invalid", "invalid_params")
    paystack.faults.on_create(fault, matching=f'"lease_id":"{refused.lease_id}"', times=None)

    report = report_of(run(*CHECK))

    billed = {row.data["lease"]: row.data["landlord"] for row in report["billed"].records}
    (failed,) = [row.data for row in report["not created"].records]
    everything, first, *_ = [tuple(row.data.values()) for row in report["by landlord"].records]
    assert everything == ("all landlords", 3, "R25 500.00", 1)
    assert first == (landlord, 2, "R17 000.00", 0)
    assert sorted(billed.values()).count(landlord) == 2
    assert {row.data["landlord"]: row.data["not created"] for row in report["by landlord"].records}[
        failed["landlord"]
    ] == 1
    assert billed[other.lease_id] not in (landlord, "")


def test_every_reason_has_words_for_a_headline() -> None:
    assert all(reason.words and "_" not in reason.words for reason in SkipReason)


def test_one_bad_lease_in_every_batch_stops_no_other(
    run: Run, paystack: PaystackStandIn, connection: Connection, due_lease: Lease
) -> None:
    keys = sorted(due_lease() for _ in range(30))
    for key in keys[::10]:
        fault = Fault.refuse(400, "Split code is invalid", "invalid_params")
        paystack.faults.on_create(fault, matching=f'"lease_id":"{key.lease_id}"', times=None)

    result = run(*CHECK)

    assert not result.success
    assert states(connection) == {"invoiced": 27, "refused": 3}
    assert len(paystack.requests_to("POST /paymentrequest")) == 30
    for key in keys[::10]:
        assert f"lease_id={key.lease_id} due_date=2026-12-01 (refused): Paystack API error 400" in (
            failure_of(result)
        )


def test_only_what_failed_is_tried_again(
    run: Run, paystack: PaystackStandIn, due_lease: Lease
) -> None:
    for _ in range(10):
        due_lease()
    paystack.faults.on_create(Fault.rate_limit(x_ratelimit_reset="0"), times=2)

    assert run(*CHECK).success
    assert len(paystack.requests_to("POST /paymentrequest")) == 12
    assert len(paystack.payment_requests) == 10


def test_a_lost_answer_is_found_within_the_same_run(
    run: Run, paystack: PaystackStandIn, due_lease: Lease
) -> None:
    for _ in range(10):
        due_lease()
    paystack.faults.on_create(Fault.drop_after_accepting(), times=3)

    result = run(*CHECK)

    assert result.success
    assert len(paystack.payment_requests) == 10
    assert (report_of(result)["billed invoices"], report_of(result)["found at Paystack"]) == (
        10,
        "3",
    )


def test_when_paystack_is_down_the_report_still_runs_and_lists_everything(
    run: Run, paystack: PaystackStandIn, connection: Connection, due_lease: Lease
) -> None:
    keys = [due_lease() for _ in range(12)]
    paystack.stop()

    result = run(*CHECK)

    assert not result.success
    assert states(connection) == {"planned": 12}
    assert all(f"lease_id={key.lease_id} " in failure_of(result) for key in keys)
    assert report_of(result)["failed invoices"] == 12


def test_a_wrong_key_stops_the_run_and_names_the_setting(
    run: Run, settings: pytest.MonkeyPatch, paystack: PaystackStandIn,
    connection: Connection, due_lease: Lease,
) -> None:  # fmt: skip
    for _ in range(25):
        due_lease()
    settings.setenv("PAYSTACK_SECRET_KEY", "sk_test_of_somebody_else")

    result = run(*CHECK)

    assert not result.success
    assert "Paystack API error 401 (invalid_Key): Invalid key" in failure_of(result)
    assert "PAYSTACK_SECRET_KEY" in failure_of(result)
    assert len(paystack.requests) <= 10
    assert states(connection) == {"planned": 25}


def test_a_key_of_another_mode_than_the_database_was_billed_in_is_refused(
    run: Run, settings: pytest.MonkeyPatch, paystack: PaystackStandIn, due_lease: Lease
) -> None:
    """What was billed in test mode would count as billed, and no tenant could pay it."""
    due_lease()
    assert run(*CHECK).success
    requests = len(paystack.requests)
    settings.setenv("PAYSTACK_SECRET_KEY", "sk_live_x")
    settings.setenv("PAYSTACK_BASE_URL", "https://paystack.invalid")

    result = run(*CHECK)

    assert "is a live key, but this database is billed in test mode" in failure_of(result)
    assert len(paystack.requests) == requests


@pytest.mark.parametrize(
    ("job", "op"),
    [
        ("check_upcoming_invoices", "plan_invoices"),
        ("create_invoice", "plan_one_invoice"),
        ("send_late_payment_reminders", "mark_overdue_invoices"),
    ],
)
def test_with_a_live_key_a_mistyped_day_reaches_nobody(
    run: Run, settings: pytest.MonkeyPatch, paystack: PaystackStandIn, connection: Connection,
    due_lease: Lease, job: str, op: str,
) -> None:  # fmt: skip
    lease = due_lease().lease_id
    settings.setenv("PAYSTACK_SECRET_KEY", "sk_live_x")
    settings.setenv("PAYSTACK_BASE_URL", "https://paystack.invalid")
    which = {"lease_id": lease} if job == "create_invoice" else {}

    result = run(job, {op: {"as_of": "2062-11-24"} | which})

    assert "as_of is 2062-11-24 and today is" in failure_of(result)
    assert (states(connection), paystack.requests) == ({}, [])


def test_a_missing_key_stops_the_run_before_anything_is_written(
    run: Run, settings: pytest.MonkeyPatch, connection: Connection, due_lease: Lease
) -> None:
    due_lease()
    settings.delenv("PAYSTACK_SECRET_KEY")

    result = run(*CHECK)

    assert "PAYSTACK_SECRET_KEY environment variable is required" in failure_of(result)
    assert states(connection) == {}


def test_the_brake_stops_before_the_first_request_and_takes_the_plan_back(
    run: Run, settings: pytest.MonkeyPatch, paystack: PaystackStandIn,
    connection: Connection, due_lease: Lease,
) -> None:  # fmt: skip
    for _ in range(3):
        due_lease()
    settings.setenv("TASK_MAX_NEW_INVOICES", "2")

    braked = run(*CHECK)
    planned = states(connection)
    confirmed = run("check_upcoming_invoices", {"plan_invoices": AS_OF | {"confirm_up_to": 3}})

    assert "confirm_up_to: 3" in failure_of(braked)
    assert planned == {}
    assert confirmed.success
    assert len(paystack.payment_requests) == 3


def test_a_preview_calls_nobody_and_writes_nothing(
    run: Run, paystack: PaystackStandIn, connection: Connection, due_lease: Lease
) -> None:
    key = due_lease()

    result = run("preview_upcoming_invoices", {"preview_invoices": AS_OF})

    shown = preview_of(result)
    assert [row.data["lease"] for row in shown["would bill"].records] == [key.lease_id]
    assert (paystack.requests, states(connection)) == ([], {})


def test_a_preview_is_the_report_of_a_run_and_its_lists_are_whole(
    run: Run, connection: Connection, due_lease: Lease, instance: dg.DagsterInstance
) -> None:
    keys = [due_lease() for _ in range(25)]
    odd = due_lease(rentDueCurrency="USD")

    result = run("preview_upcoming_invoices", {"preview_invoices": AS_OF})

    shown = preview_of(result)
    assert shown["report"].startswith(
        "Would bill 25 invoices for R212 500.00 as of 2026-11-24;"
        " 1 lease skipped: 1 with a rent that is not in rand."
    )
    for section in ("would bill", "by landlord", "would skip", "skipped by reason"):
        assert f"**{section}**" in shown["report"]
    everything, *landlords = [tuple(row.data.values()) for row in shown["by landlord"].records]
    assert everything == ("all landlords", 25, "R212 500.00")
    assert len(landlords) == 25
    (skipped,) = [row.data for row in shown["would skip"].records]
    assert (skipped["lease"], skipped["reason"]) == (odd.lease_id, "currency_not_rand")
    assert skipped["landlord"]
    said = [entry.user_message for entry in instance.all_logs(result.run_id)]
    assert all(len(message.splitlines()) <= 10 for message in said if "Would" in message)
    assert all(any(f"Would bill {key.lease_id}" in message for message in said) for key in keys)


def test_a_preview_needs_no_key(run: Run, settings: pytest.MonkeyPatch) -> None:
    settings.delenv("PAYSTACK_SECRET_KEY")

    assert run("preview_upcoming_invoices").success


def test_a_day_that_is_no_date_is_refused_before_anything_runs(run: Run) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError, match="as_of") as error:
        run("check_upcoming_invoices", {"plan_invoices": {"as_of": 7}})
    assert error.value
    result = run("check_upcoming_invoices", {"plan_invoices": {"as_of": "soon"}})
    assert "as_of must be a date written YYYY-MM-DD, not 'soon'" in failure_of(result)


@pytest.mark.parametrize(
    ("tick", "day"),
    [
        (datetime(2026, 11, 24, 5, tzinfo=timezone.utc), "2026-11-24"),
        (datetime(2026, 11, 24, 22, 30, tzinfo=timezone.utc), "2026-11-25"),
    ],
)
def test_the_schedule_bills_as_of_its_own_day(tick: datetime, day: str) -> None:
    context = dg.build_schedule_context(scheduled_execution_time=tick)

    request = invoicing_at_seven(context)

    assert request.run_config == {"ops": {"plan_invoices": {"config": {"as_of": day}}}}


def test_the_schedule_ticks_at_seven_in_johannesburg() -> None:
    assert invoicing_at_seven.cron_schedule == "0 7 * * *"
    assert invoicing_at_seven.execution_timezone == "Africa/Johannesburg"
    assert invoicing_at_seven.default_status is dg.DefaultScheduleStatus.RUNNING
