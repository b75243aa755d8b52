"""cancel_invoice: what is cancelled, what stays and why, and what a crash leaves behind."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Connection, text

from leaseup_dagster.invoicing.cancellation.ops import CancelConfig
from leaseup_dagster.invoicing.creation.protocol import InvoiceCreation
from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.sandbox.builders import a_tenant, a_transaction, an_invoice
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.sandbox.paystack_books import StoredPaymentRequest

AS_OF = {"as_of": "2026-11-24"}
CHECK = ("check_upcoming_invoices", {"plan_invoices": AS_OF})
FETCH, ARCHIVE = "GET /paymentrequest/:code", "POST /paymentrequest/archive/:code"
LEDGER = "leaseup_dagster.invoice_ledger"
REASON = "wrong rent run of 2026-11-24"

Run = Callable[..., dg.ExecuteInProcessResult]
Lease = Callable[..., LedgerKey]
Cancel = Callable[..., dg.ExecuteInProcessResult]


def config(**values: object) -> tuple[str, dict[str, Any]]:
    given = {"reason": REASON, "confirm": True} | values
    return "cancel_invoice", {"choose_invoices_to_cancel": given}


@pytest.fixture
def cancel(run: Run) -> Cancel:
    return lambda **values: run(*config(**values))


@pytest.fixture
def billed(creation: InvoiceCreation, planned: LedgerKey) -> LedgerKey:
    """One month that was billed."""
    creation.bill(planned)
    return planned


def month(key: LedgerKey) -> dict[str, str]:
    return {"lease_id": key.lease_id, "due_date": key.due_date.isoformat()}


def ledger_row(connection: Connection, key: LedgerKey) -> Any:
    sql = f"SELECT * FROM {LEDGER} WHERE lease_id = :lease_id AND due_date = :due_date"
    return connection.execute(text(sql), key.__dict__).one()


def invoice_ids(connection: Connection) -> list[str]:
    return list(
        connection.execute(text('SELECT id FROM invoice ORDER BY "invoiceNumber"')).scalars()
    )


def stands(connection: Connection, paystack: PaystackStandIn, key: LedgerKey) -> tuple[object, ...]:
    """At Paystack, in LeaseUp, in the ledger."""
    status = text('SELECT status::text FROM invoice WHERE "leaseId" = :lease_id')
    (request,) = requests_for(paystack, key)
    return (
        "archived" if request.archived else request.status,
        connection.execute(status, {"lease_id": key.lease_id}).scalar_one(),
        ledger_row(connection, key).state,
    )


def requests_for(paystack: PaystackStandIn, key: LedgerKey) -> list[StoredPaymentRequest]:
    return [r for r in paystack.payment_requests if (r.metadata or {})["lease_id"] == key.lease_id]


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    """What the failed run says, causes included."""
    said = []
    for event in result.all_events:
        error = getattr(event.event_specific_data, "error", None) if event.is_failure else None
        while error:
            said.append(error.message)
            error = error.cause
    return "\n".join(said)


CANCELLED = ("archived", "CANCELLED", "cancelled")
UNTOUCHED = ("pending", "PENDING", "invoiced")


def test_a_month_is_taken_back_in_both_places_with_its_reason(
    cancel: Cancel, billed: LedgerKey, connection: Connection, paystack: PaystackStandIn
) -> None:
    result = cancel(**month(billed))

    assert result.success, failure_of(result)
    assert stands(connection, paystack, billed) == CANCELLED
    assert ledger_row(connection, billed).error == REASON
    assert [seen.endpoint for seen in paystack.requests[1:]] == [FETCH, ARCHIVE, FETCH]


def test_an_invoice_is_taken_back_by_its_id(
    cancel: Cancel, billed: LedgerKey, connection: Connection, paystack: PaystackStandIn
) -> None:
    assert cancel(invoice_ids=invoice_ids(connection)).success
    assert stands(connection, paystack, billed) == CANCELLED


def test_the_next_morning_does_not_bill_it_again_and_a_person_can(
    cancel: Cancel, run: Run, billed: LedgerKey, connection: Connection, paystack: PaystackStandIn
) -> None:
    cancel(**month(billed))

    assert run("check_upcoming_invoices", {"plan_invoices": {"as_of": "2026-11-25"}}).success
    assert len(paystack.payment_requests) == 1
    again = {"plan_one_invoice": AS_OF | month(billed) | {"rebill": True}}
    assert run("create_invoice", again).success

    first, second = paystack.payment_requests
    assert (first.archived, second.archived) == (True, False)
    assert ledger_row(connection, billed).state == "invoiced"
    assert ledger_row(connection, billed).billing == 2
    assert cancel(**month(billed)).success
    assert second.archived


def test_taking_it_back_twice_changes_nothing(
    cancel: Cancel, billed: LedgerKey, connection: Connection, paystack: PaystackStandIn
) -> None:
    cancel(**month(billed))
    asked = len(paystack.requests)

    assert cancel(**month(billed), reason="once more").success
    assert cancel(invoice_ids=invoice_ids(connection)).success
    assert ledger_row(connection, billed).error == REASON
    assert len(paystack.requests) == asked


@pytest.mark.parametrize("status", ["PENDING", "OVERDUE", "CANCELLED", "DRAFT"])
def test_what_is_not_paid_can_be_taken_back(
    cancel: Cancel, billed: LedgerKey, connection: Connection, paystack: PaystackStandIn,
    status: str,
) -> None:  # fmt: skip
    connection.execute(text(f"UPDATE invoice SET status = '{status}'"))

    assert cancel(**month(billed)).success
    assert stands(connection, paystack, billed) == CANCELLED


@pytest.mark.parametrize("status", ["PAID", "PARTIALLY_PAID"])
def test_what_is_paid_in_leaseup_stays(
    cancel: Cancel, billed: LedgerKey, connection: Connection, paystack: PaystackStandIn,
    status: str,
) -> None:  # fmt: skip
    connection.execute(text(f"UPDATE invoice SET status = '{status}'"))

    result = cancel(**month(billed))

    assert "(paid): a payment is recorded in LeaseUp" in failure_of(result)
    assert stands(connection, paystack, billed) == ("pending", status, "invoiced")


def test_a_payment_recorded_on_an_open_invoice_keeps_it(
    cancel: Cancel, billed: LedgerKey, connection: Connection, paystack: PaystackStandIn
) -> None:
    a_transaction(connection, invoice_ids(connection)[0], 100.0)

    assert not cancel(**month(billed)).success
    assert stands(connection, paystack, billed) == UNTOUCHED


@pytest.mark.parametrize(
    ("cents", "status", "at_paystack"),
    [(None, "PAID", "success"), (100_000, "PENDING", "pending")],
    ids=["in full", "in part"],
)
def test_what_is_paid_at_paystack_stays_and_the_payment_is_recorded(
    cancel: Cancel, billed: LedgerKey, connection: Connection, paystack: PaystackStandIn,
    cents: int | None, status: str, at_paystack: str,
) -> None:  # fmt: skip
    paystack.pay(paystack.payment_requests[0].request_code, cents)

    result = cancel(**month(billed))

    assert "there is a payment at Paystack" in failure_of(result)
    assert stands(connection, paystack, billed) == (at_paystack, status, "invoiced")
    paid = connection.execute(text('SELECT "amountPaid" FROM transaction')).scalar_one()
    assert paid == (cents or 850_000) / 100


def test_one_archived_by_hand_at_paystack_is_taken_back_here(
    cancel: Cancel, billed: LedgerKey, connection: Connection, paystack: PaystackStandIn
) -> None:
    paystack.archive(paystack.payment_requests[0].request_code)

    assert cancel(**month(billed)).success
    assert stands(connection, paystack, billed) == CANCELLED
    assert paystack.requests_to(ARCHIVE) == []


def test_one_that_paystack_does_not_know_is_taken_back_only_when_a_person_insists(
    cancel: Cancel, billed: LedgerKey, connection: Connection, paystack: PaystackStandIn
) -> None:
    """Another mode's key knows none of them: they would stay payable, and seem cancelled here."""
    unknown = Fault.refuse(404, "Payment request not found", "not_found")
    paystack.faults.on(FETCH, unknown, times=None)

    refused = cancel(**month(billed))
    untouched = stands(connection, paystack, billed)
    insisted = cancel(**month(billed), without_paystack=True)

    assert "without_paystack: true" in failure_of(refused)
    assert untouched == UNTOUCHED
    assert insisted.success
    assert stands(connection, paystack, billed)[1:] == ("CANCELLED", "cancelled")


def test_what_paystack_refuses_to_archive_stays(
    cancel: Cancel, billed: LedgerKey, connection: Connection, paystack: PaystackStandIn
) -> None:
    paystack.faults.on(ARCHIVE, Fault.refuse(400, "Cannot be archived"))

    assert "Cannot be archived" in failure_of(cancel(**month(billed)))
    assert stands(connection, paystack, billed) == UNTOUCHED
    assert cancel(**month(billed)).success


@pytest.mark.parametrize("endpoint", [FETCH, ARCHIVE])
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault.drop_before_accepting, id="lost before"),
        pytest.param(Fault.drop_after_accepting, id="lost after"),
        pytest.param(lambda: Fault.status(503), id="503"),
        pytest.param(lambda: Fault.rate_limit(x_ratelimit_reset="0"), id="429"),
        pytest.param(Fault.success_in_html, id="HTML"),
    ],
)
def test_an_answer_that_is_lost_once_is_asked_for_again_in_the_same_run(
    cancel: Cancel, billed: LedgerKey, connection: Connection, paystack: PaystackStandIn,
    endpoint: str, fault: Callable[[], Fault],
) -> None:  # fmt: skip
    paystack.faults.on(endpoint, fault())

    result = cancel(**month(billed))

    assert result.success, failure_of(result)
    assert stands(connection, paystack, billed) == CANCELLED


def test_when_paystack_stays_silent_the_run_fails_and_says_what_to_do(
    cancel: Cancel, billed: LedgerKey, connection: Connection, paystack: PaystackStandIn
) -> None:
    paystack.faults.on(ARCHIVE, Fault.drop_after_accepting(), times=None)
    paystack.faults.on(FETCH, Fault.status(503), times=None)

    failed = cancel(**month(billed))
    paystack.faults.clear()

    assert "Launch cancel_invoice again" in failure_of(failed)
    assert cancel(**month(billed)).success
    assert stands(connection, paystack, billed) == CANCELLED


def test_a_wrong_key_leaves_a_half_done_one_for_the_next_run(
    cancel: Cancel, billed: LedgerKey, connection: Connection, paystack: PaystackStandIn
) -> None:
    """Archived and not recorded: back to `invoiced` would forget what was begun."""
    connection.execute(text(f"UPDATE {LEDGER} SET state = 'cancelling', error = 'begun'"))
    paystack.archive(paystack.payment_requests[0].request_code)
    paystack.faults.on(FETCH, Fault.refuse(401, "Invalid key", "invalid_Key"))

    assert "PAYSTACK_SECRET_KEY" in failure_of(cancel(**month(billed)))
    assert ledger_row(connection, billed).state == "cancelling"
    assert cancel(**month(billed)).success
    assert stands(connection, paystack, billed) == CANCELLED


def test_a_list_is_undone_and_what_cannot_be_stays_with_its_reason(
    cancel: Cancel, run: Run, due_lease: Lease, connection: Connection, paystack: PaystackStandIn
) -> None:
    keys = sorted(due_lease() for _ in range(3))
    run(*CHECK)
    paid = requests_for(paystack, keys[0])[0]
    paystack.pay(paid.request_code)

    result = cancel(invoice_ids=[*invoice_ids(connection), "nobody"])

    assert "3 invoices" not in failure_of(result)
    assert "2 invoices were not cancelled" in failure_of(result)
    assert "There is no invoice 'nobody' in LeaseUp" in failure_of(result)
    states = [ledger_row(connection, key).state for key in keys]
    assert states == ["invoiced", "cancelled", "cancelled"]


def test_a_long_list_stops_until_a_person_confirms_it(
    cancel: Cancel, run: Run, due_lease: Lease, connection: Connection,
    settings: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    keys = [due_lease() for _ in range(3)]
    run(*CHECK)
    settings.setenv("TASK_MAX_NEW_INVOICES", "2")

    braked = cancel(invoice_ids=invoice_ids(connection))
    untouched = {ledger_row(connection, key).state for key in keys}

    assert "confirm_up_to: 3" in failure_of(braked)
    assert untouched == {"invoiced"}
    assert cancel(invoice_ids=invoice_ids(connection), confirm_up_to=3).success


def test_what_an_earlier_run_began_is_finished_whatever_is_asked_for(
    cancel: Cancel, billed: LedgerKey, connection: Connection, paystack: PaystackStandIn
) -> None:
    connection.execute(text(f"UPDATE {LEDGER} SET state = 'cancelling', error = 'begun'"))

    cancel(invoice_ids=["nobody"])

    assert stands(connection, paystack, billed) == CANCELLED
    assert ledger_row(connection, billed).error == "begun"


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("planned", "switch off automatic invoicing"),
        ("refused", "was refused, so there is no invoice"),
        ("requesting", "Launch check_upcoming_invoices first"),
        ("cancelled", "was never invoiced"),
    ],
)
def test_a_month_without_an_invoice_says_how_it_stands(
    cancel: Cancel, planned: LedgerKey, connection: Connection, paystack: PaystackStandIn,
    state: str, message: str,
) -> None:  # fmt: skip
    marked = "attempted_at = now(), customer_code = 'CUS_x'"
    connection.execute(text(f"UPDATE {LEDGER} SET state = '{state}', {marked}"))

    assert message in failure_of(cancel(**month(planned)))
    assert ledger_row(connection, planned).state == state
    assert paystack.requests == []


def test_ids_that_are_no_invoice_of_ours_are_named_for_what_they_are(
    cancel: Cancel, planned: LedgerKey, connection: Connection, paystack: PaystackStandIn
) -> None:
    by_app = an_invoice(connection, planned.lease_id, planned.due_date)
    gone = an_invoice(connection, planned.lease_id, planned.due_date, status="CANCELLED")
    tenant = connection.execute(text("SELECT id FROM tenant")).scalar_one()

    said = failure_of(cancel(invoice_ids=[by_app, gone, tenant, planned.lease_id, " "]))

    assert f"{by_app}: this product did not make it. Cancel it in LeaseUp" in said
    assert f"{gone}: it is CANCELLED in LeaseUp" in said
    assert f"'{tenant}' is the id of a tenant, not of an invoice" in said
    assert f"'{planned.lease_id}' is the id of a lease, not of an invoice" in said
    assert "The invoice's id is missing" in said
    assert paystack.requests == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"reason": "  "}, "reason is empty"),
        ({"reason": "x" * 201}, "reason has 201 characters; at most 200"),
        ({"reason": "ask thabo@example.com"}, "must not hold an e-mail address"),
        ({"reason": "he said 082 123 4567"}, "must not hold an e-mail address, a phone number"),
        ({}, "Name either invoice_ids, or one month"),
        ({"invoice_ids": ["i"], "lease_id": "l"}, "Name either invoice_ids, or one month"),
        ({"due_date": "2026-12-01"}, "Name either invoice_ids, or one month"),
        ({"lease_id": "nobody", "due_date": "2026-12-01"}, "There is no lease 'nobody'"),
        ({"lease_id": "LEASE"}, "Name the month to cancel"),
        ({"lease_id": "LEASE", "due_date": "soon"}, "due_date must be a date written YYYY-MM-DD"),
        ({"lease_id": "LEASE", "due_date": "2027-01-01"}, "has made no invoice for this month"),
        ({"lease_id": "TENANT", "due_date": "2026-12-01"}, "is the id of a tenant, not of a lease"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_write(
    cancel: Cancel, billed: LedgerKey, connection: Connection, paystack: PaystackStandIn,
    given: dict[str, Any], message: str,
) -> None:  # fmt: skip
    tenant = a_tenant(connection, connection.execute(text('SELECT id FROM "user"')).scalar_one())
    names = {"LEASE": billed.lease_id, "TENANT": tenant}
    given = {name: names.get(value, value) if isinstance(value, str) else value
             for name, value in given.items()}  # fmt: skip
    asked = len(paystack.requests)

    assert message in failure_of(cancel(**given))
    assert stands(connection, paystack, billed) == UNTOUCHED
    assert len(paystack.requests) == asked


def test_the_run_shows_what_was_cancelled_and_no_reason_to_guess(
    cancel: Cancel, billed: LedgerKey, connection: Connection
) -> None:
    result = cancel(**month(billed))

    (event,) = [e for e in result.all_events if e.event_type_value == "STEP_OUTPUT"
                and e.step_key == "cancel_chosen_invoices"]  # fmt: skip
    (row,) = event.event_specific_data.metadata["invoices"].value.records
    assert (row.data["lease"], row.data["what"], row.data["why"]) == (
        billed.lease_id, "cancelled", REASON,
    )  # fmt: skip


def shown(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    (event,) = [e for e in result.all_events if e.event_type_value == "STEP_OUTPUT"
                and e.step_key == "cancel_chosen_invoices"]  # fmt: skip
    return {name: value.value for name, value in event.event_specific_data.metadata.items()}


def test_a_look_is_green_says_both_sides_and_changes_nothing(
    cancel: Cancel, billed: LedgerKey, connection: Connection, paystack: PaystackStandIn
) -> None:
    asked = len(paystack.requests)

    result = cancel(**month(billed), confirm=False, reason="")

    assert result.success, failure_of(result)
    (row,) = [record.data for record in shown(result)["invoices"].records]
    assert [row["invoice"]] == invoice_ids(connection)
    assert (row["amount"], row["in LeaseUp"], row["at Paystack"]) == (
        "R8 500.00", "PENDING", "R8 500.00, unpaid, can be paid",
    )  # fmt: skip
    assert row["what confirm: true does"].startswith("archived at Paystack, CANCELLED in LeaseUp")
    said = shown(result)["report"]
    assert said.startswith("This was only a preview: nothing was changed")
    assert "confirm: true would cancel 1 invoice, R8 500.00." in said
    assert stands(connection, paystack, billed) == UNTOUCHED
    assert [seen.endpoint for seen in paystack.requests[asked:]] == [FETCH]


def test_a_look_says_what_would_stay_and_why(
    cancel: Cancel, billed: LedgerKey, connection: Connection, paystack: PaystackStandIn
) -> None:
    paystack.pay(ledger_row(connection, billed).request_code)

    result = cancel(invoice_ids=[*invoice_ids(connection), "nobody"], confirm=False)

    assert result.success, failure_of(result)
    paid, unknown = [record.data for record in shown(result)["invoices"].records]
    assert "a payment wins" in paid["what confirm: true does"]
    assert "There is no invoice 'nobody'" in unknown["what confirm: true does"]
    assert "would cancel 0 invoices, R0.00. 2 invoices cannot" in shown(result)["report"]
    assert ledger_row(connection, billed).state == "invoiced"


@pytest.mark.parametrize("fault", [Fault.status(500), Fault.drop_after_accepting()])
def test_a_look_without_an_answer_says_so(
    cancel: Cancel, billed: LedgerKey, connection: Connection, paystack: PaystackStandIn,
    fault: Fault,
) -> None:  # fmt: skip
    paystack.faults.on(FETCH, fault, times=None)

    result = cancel(**month(billed), confirm=False)

    assert result.success, failure_of(result)
    (row,) = [record.data for record in shown(result)["invoices"].records]
    assert (row["at Paystack"], row["in LeaseUp"]) == ("no answer", "PENDING")
    assert stands(connection, paystack, billed) == UNTOUCHED


def test_a_look_leaves_what_an_earlier_run_began(
    cancel: Cancel, billed: LedgerKey, connection: Connection, paystack: PaystackStandIn
) -> None:
    connection.execute(text(f"UPDATE {LEDGER} SET state = 'cancelling', error = 'begun'"))

    assert "1 begun by earlier runs" in shown(cancel(**month(billed), confirm=False))["report"]
    assert ledger_row(connection, billed).state == "cancelling"


def test_the_launchpad_offers_every_key_with_an_empty_reason() -> None:
    keys = CancelConfig.to_fields_dict()

    assert not [name for name, field in keys.items() if field.is_required]
    assert keys["reason"].default_value == ""
