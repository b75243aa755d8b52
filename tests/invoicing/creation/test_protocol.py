"""The exactly-once protocol: what Paystack does, and how the month stands afterwards."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import Connection, text

from leaseup_dagster.invoicing.creation.protocol import InvoiceCreation, Kind
from leaseup_dagster.invoicing.keys import InvoiceResult, LedgerKey
from leaseup_dagster.invoicing.ledger.queries import Unanswered
from leaseup_dagster.sandbox.builders import a_recurring_billable
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn


def invoices(connection: Connection) -> list[dict[str, object]]:
    return [dict(row._mapping) for row in connection.execute(text("SELECT * FROM invoice"))]


def test_a_planned_month_costs_one_request_and_becomes_one_invoice(
    connection: Connection, paystack: PaystackStandIn, creation: InvoiceCreation, planned: LedgerKey
) -> None:
    outcome = creation.bill(planned)

    (made,), (row,) = paystack.payment_requests, invoices(connection)
    assert outcome.kind is Kind.CREATED
    assert len(paystack.requests) == 1
    assert (row["paystackId"], row["status"], row["category"]) == (
        made.request_code,
        "PENDING",
        "RENT",
    )
    assert (row["dueAmount"], row["dueDate"]) == (8500.0, planned.due_date)
    assert row["lineItems"] == [{"name": "Rent", "quantity": 1, "rate": 8500.0, "amount": 8500.0}]
    assert row["offlineReference"] == made.offline_reference
    assert row["paymentRequestUrl"] == f"https://paystack.shop/pay/{made.request_code}"


def test_a_rent_rule_deleted_meanwhile_does_not_keep_the_invoice_from_being_recorded(
    connection: Connection,
    creation: InvoiceCreation,
    due_lease: Callable[..., LedgerKey],
    plan: Callable[[], object],
) -> None:
    key = due_lease()
    tenant = connection.execute(text("SELECT id FROM tenant")).scalar_one()
    a_recurring_billable(connection, key.lease_id, tenant)
    plan()
    connection.execute(text("DELETE FROM recurring_billable"))

    assert creation.bill(key).kind is Kind.CREATED
    assert [row["recurringBillableId"] for row in invoices(connection)] == [None]


def test_what_the_payment_request_says(
    paystack: PaystackStandIn, creation: InvoiceCreation, planned: LedgerKey, customer: str
) -> None:
    creation.bill(planned)

    body = paystack.requests[0].body
    reference = body["metadata"]["reference"]
    assert body == {
        "customer": customer,
        "amount": 850_000,
        "currency": "ZAR",
        "due_date": "2026-12-01T21:59:59Z",
        "description": f"Rent for Unit 4, Rose Court, due 1 December 2026, ref {reference}",
        "metadata": {
            "reference": reference,
            "lease_id": planned.lease_id,
            "due_date": "2026-12-01",
        },
        "send_notification": False,
        "split_code": "SPL_demo000001",
    }


@pytest.mark.parametrize(
    ("fault", "kind", "state"),
    [
        pytest.param(Fault.rate_limit(), Kind.NOT_SENT, "planned", id="429"),
        pytest.param(
            Fault.drop_before_accepting(), Kind.UNANSWERED, "requesting", id="cut before accepting"
        ),
        pytest.param(
            Fault.drop_after_accepting(), Kind.UNANSWERED, "requesting", id="cut after accepting"
        ),
        pytest.param(
            Fault.drop_after_accepting(reset=True),
            Kind.UNANSWERED,
            "requesting",
            id="reset after accepting",
        ),
        pytest.param(
            Fault.cut_within_the_answer(), Kind.UNANSWERED, "requesting", id="cut within the answer"
        ),
        pytest.param(Fault.status(500), Kind.UNANSWERED, "requesting", id="500"),
        pytest.param(Fault.status(502, html=True), Kind.UNANSWERED, "requesting", id="502 in HTML"),
        pytest.param(
            Fault.status(504, accepted=True),
            Kind.UNANSWERED,
            "requesting",
            id="504 after accepting",
        ),
        pytest.param(Fault.truncated(), Kind.UNANSWERED, "requesting", id="truncated JSON"),
        pytest.param(Fault.success_in_html(), Kind.UNANSWERED, "requesting", id="200 in HTML"),
        pytest.param(
            Fault.status_false(), Kind.UNANSWERED, "requesting", id="200 with status false"
        ),
        pytest.param(
            Fault.without("request_code"), Kind.UNANSWERED, "requesting", id="200 without a code"
        ),
        pytest.param(
            Fault.refuse(400, "Customer not found", "not_found"), Kind.REFUSED, "refused", id="400"
        ),
        pytest.param(Fault.refuse(403, "Not allowed"), Kind.REFUSED, "refused", id="403"),
        pytest.param(Fault.refuse(404, "No"), Kind.REFUSED, "refused", id="404"),
        pytest.param(Fault.refuse(422, "No"), Kind.REFUSED, "refused", id="422"),
        pytest.param(
            Fault.refuse(401, "Invalid key", "invalid_Key"), Kind.KEY_REJECTED, "planned", id="401"
        ),
    ],
)
def test_each_answer_leaves_the_month_where_it_is_safe(
    paystack: PaystackStandIn,
    creation: InvoiceCreation,
    planned: LedgerKey,
    stands: Callable[[], InvoiceResult],
    fault: Fault,
    kind: Kind,
    state: str,
) -> None:
    paystack.faults.on_create(fault)

    outcome = creation.bill(planned)

    assert (outcome.kind, stands().state) == (kind, state)
    assert len(paystack.requests_to("POST /paymentrequest")) == 1
    assert "Paystack API error" in str(stands().error)


def test_a_mark_that_went_stale_is_dropped_instead_of_sent(
    paystack: PaystackStandIn,
    creation: InvoiceCreation,
    planned: LedgerKey,
    stands: Callable[[], InvoiceResult],
) -> None:
    paused = replace(creation, send_window_seconds=0)

    outcome = paused.bill(planned)

    assert (outcome.kind, stands().state) == (Kind.NOT_SENT, "planned")
    assert paystack.requests == []


def test_after_a_stop_nothing_is_marked_and_nothing_leaves(
    paystack: PaystackStandIn,
    creation: InvoiceCreation,
    planned: LedgerKey,
    stands: Callable[[], InvoiceResult],
) -> None:
    creation.paystack.stop.set()

    assert creation.bill(planned).kind is Kind.STOPPED
    assert (stands().state, paystack.requests) == ("planned", [])


def test_six_workers_on_one_month_send_once(
    paystack: PaystackStandIn, creation: InvoiceCreation, planned: LedgerKey
) -> None:
    at_once = threading.Barrier(6)

    def bill(_: int) -> Kind:
        at_once.wait(10)
        return creation.bill(planned).kind

    with ThreadPoolExecutor(6) as pool:
        kinds = list(pool.map(bill, range(6)))

    assert sorted(kinds, key=str) == sorted([Kind.CREATED] + [Kind.CLAIMED_ELSEWHERE] * 5, key=str)
    assert len(paystack.payment_requests) == 1


def test_a_run_that_looks_while_another_is_sending_does_not_record_twice(
    connection: Connection,
    paystack: PaystackStandIn,
    creation: InvoiceCreation,
    planned: LedgerKey,
    found_unanswered: Callable[..., Unanswered],
) -> None:
    slow = paystack.faults.on_create(Fault.hang_after_accepting())
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(creation.bill, planned)
        assert slow.arrived.wait(10)
        assert creation.look_up(found_unanswered()).kind is Kind.ADOPTED
        slow.release()
        assert sending.result(10).kind is Kind.CLAIMED_ELSEWHERE

    assert len(invoices(connection)) == len(paystack.payment_requests) == 1


def test_a_row_that_breaks_our_side_is_reported_without_its_values(
    connection: Connection,
    creation: InvoiceCreation,
    planned: LedgerKey,
    stands: Callable[[], InvoiceResult],
) -> None:
    """The invoice table refuses the row: Paystack has it, the ledger knows, the next run adopts."""
    connection.execute(text('ALTER TABLE invoice ADD CONSTRAINT no CHECK ("dueAmount" < 1)'))

    outcome = creation.bill(planned)

    assert (outcome.kind, stands().state) == (Kind.BROKEN, "requesting")
    assert outcome.why is not None
    assert "refuses with CheckViolation (table invoice, constraint no)" in outcome.why
    assert planned.lease_id not in outcome.why
