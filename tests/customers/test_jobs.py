"""The backfill as a person launches it: what it does, what it shows, when it fails."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Connection, text

from leaseup_dagster.sandbox.builders import a_landlord
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from tests.customers.conftest import JOB, Codes, Tenants

CREATE = "POST /customer"
FIND = "find_tenants_without_customer"
Run = Callable[..., dg.ExecuteInProcessResult]


def report_of(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    (event,) = [e for e in result.all_events if e.event_type_value == "ASSET_MATERIALIZATION"]
    metadata = event.step_materialization_data.materialization.metadata
    return {name: value.value for name, value in metadata.items()}


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    failed = [e.step_failure_data.error for e in result.all_events if e.is_step_failure]
    return "\n".join(error.to_string() for error in failed if error)


def attempts(paystack: PaystackStandIn, tenant: str) -> int:
    return sum(seen.body["metadata"]["tenant_id"] == tenant for seen in paystack.requests)


def test_everybody_gets_a_customer_and_a_second_run_makes_no_request(
    run: Run, tenants: Tenants, codes: Codes, paystack: PaystackStandIn
) -> None:
    tenants(25)

    first, second = run(JOB), run(JOB)

    assert first.success
    assert second.success
    assert set(codes().values()) == {c.customer_code for c in paystack.customers}
    assert len(paystack.requests) == 25
    assert (report_of(first)["registered"], report_of(second)["registered"]) == (25, 0)


def test_one_failing_tenant_among_25_is_tried_again_and_no_other(
    run: Run, tenants: Tenants, paystack: PaystackStandIn
) -> None:
    bad, *_ = tenants(25)
    paystack.faults.on(CREATE, Fault.status(500), matching=f'"{bad}"', times=2)

    result = run(JOB)

    assert result.success
    assert attempts(paystack, bad) == 3
    assert len(paystack.requests) == 24 + 3
    assert report_of(result)["registered"] == 25


def test_one_that_fails_to_the_end_is_reported_and_fails_the_run(
    run: Run, tenants: Tenants, codes: Codes, paystack: PaystackStandIn
) -> None:
    bad, *_ = tenants(25)
    paystack.faults.on(CREATE, Fault.status(500), matching=f'"{bad}"', times=None)

    result = run(JOB)
    report = report_of(result)

    assert not result.success
    assert f"Paystack API error 500: An error occurred: tenant_id={bad}." in failure_of(result)
    assert (report["registered"], report["failed"], report["still without a customer"]) == (
        24,
        1,
        1,
    )
    assert report["failed tenants"].records[0].data["tenant"] == bad
    assert attempts(paystack, bad) == 4


def test_a_refused_tenant_fails_the_run_once_and_is_left_alone_then(
    run: Run, tenants: Tenants, paystack: PaystackStandIn
) -> None:
    """A person must act, and is alerted once; a run that is always red says nothing."""
    bad, *_ = tenants(3)
    paystack.faults.on(CREATE, Fault.refuse(400, "Invalid phone"), matching=f'"{bad}"', times=None)

    first, second = run(JOB), run(JOB)

    assert not first.success
    row = report_of(first)["refused tenants"].records[0].data
    assert (row["tenant"], row["why"]) == (bad, "Paystack API error 400: Invalid phone")
    assert row["what to do"].startswith("Correct the tenant in LeaseUp")
    assert second.success
    assert report_of(second)["refused until their data change"] == 1
    assert attempts(paystack, bad) == 1


def test_a_corrected_tenant_is_tried_again(
    run: Run, tenants: Tenants, codes: Codes, connection: Connection, paystack: PaystackStandIn
) -> None:
    (bad,) = tenants(email="thandi@")
    assert not run(JOB).success

    connection.execute(text("UPDATE tenant SET email = 'thandi@example.com'"))

    assert run(JOB).success
    assert codes() == {bad: paystack.customers[0].customer_code}


def test_a_person_can_ask_for_the_refused_again(
    run: Run, tenants: Tenants, codes: Codes, paystack: PaystackStandIn
) -> None:
    tenants()
    paystack.faults.on(CREATE, Fault.refuse(400, "Not today"))
    assert not run(JOB).success

    assert run(JOB, {FIND: {"retry_refused": True}}).success
    assert None not in codes().values()


def test_only_the_tenants_named_are_registered(run: Run, tenants: Tenants, codes: Codes) -> None:
    chosen, *others = tenants(3)

    assert run(JOB, {FIND: {"tenant_ids": [chosen, "deleted-meanwhile"]}}).success
    assert [tenant for tenant, code in codes().items() if code is None] == others


def test_an_id_that_nobody_has_is_a_typing_error(run: Run, paystack: PaystackStandIn) -> None:
    result = run(JOB, {FIND: {"tenant_ids": ["tennant-7"]}})

    assert not result.success
    assert "There is no tenant tennant-7 in LeaseUp" in failure_of(result)


def test_one_email_under_two_landlords_is_one_customer(
    run: Run, tenants: Tenants, codes: Codes, connection: Connection, paystack: PaystackStandIn
) -> None:
    tenants(email="both@example.com")
    tenants(email="BOTH@example.com", landlordId=a_landlord(connection))

    assert run(JOB).success
    assert set(codes().values()) == {paystack.customers[0].customer_code}
    assert len(codes()) == 2


def test_a_rejected_key_stops_the_run_and_names_the_setting(
    run: Run, tenants: Tenants, paystack: PaystackStandIn
) -> None:
    tenants(60)
    paystack.habits.keys = set()

    result = run(JOB)

    assert not result.success
    assert "Set PAYSTACK_SECRET_KEY to a valid secret key" in failure_of(result)
    assert len(paystack.requests) <= 10, "the first batch; nobody asks again, and no other batch"


def test_nothing_personal_is_in_any_event_of_a_run_that_goes_wrong(
    run: Run, tenants: Tenants, instance: dg.DagsterInstance, paystack: PaystackStandIn
) -> None:
    person = {"email": "thandi.nkosi@example.com", "firstName": "Thandi", "lastName": "Nkosi"}
    tenants(**person, phone="082 456 1234")
    tenants(email="sipho khumalo@example.com", firstName="Sipho", lastName="Khumalo")
    said = "Thandi Nkosi <thandi.nkosi@example.com> 082 456 1234 is barred"
    paystack.faults.on(CREATE, Fault.refuse(400, said))

    result = run(JOB)

    logged = "\n".join(str(entry) for entry in instance.all_logs(result.run_id))
    stored = str(instance.get_run_by_id(result.run_id)) + logged + failure_of(result)
    assert "is barred" in stored
    for secret in ("Thandi", "Nkosi", "example.com", "456 1234", "824561234", "Sipho", "sk_test"):
        assert secret not in stored


def test_the_numbers_of_the_report_are_numbers(run: Run, tenants: Tenants) -> None:
    tenants(2)
    report = report_of(run(JOB))

    assert {k: v for k, v in report.items() if isinstance(v, int)} == {
        "registered": 2, "refused": 0, "failed": 0, "left for the next run": 0,
        "still without a customer": 0, "refused until their data change": 0,
    }  # fmt: skip


def test_without_a_key_nothing_is_done_and_the_variable_is_named(
    run: Run, settings: pytest.MonkeyPatch, tenants: Tenants
) -> None:
    tenants()
    settings.delenv("PAYSTACK_SECRET_KEY")

    result = run(JOB)

    assert not result.success
    said = "\n".join(str(event.event_specific_data) for event in result.all_events)
    assert "PAYSTACK_SECRET_KEY environment variable is required" in said
