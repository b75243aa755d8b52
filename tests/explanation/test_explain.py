"""explain_lease: every eligibility, every row, and what happens next; and that it changes
nothing."""

import json
import sys
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import dagster as dg
import pytest
import yaml
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from leaseup_dagster import cli
from leaseup_dagster.database.quota import SharedQuota
from leaseup_dagster.explanation import timeline
from leaseup_dagster.explanation.timeline import Rules, UnknownLease
from leaseup_dagster.explanation.words import Timeline, as_text
from leaseup_dagster.invoicing.creation.protocol import InvoiceCreation
from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.invoicing.planning import planner
from leaseup_dagster.invoicing.rules.skip_reasons import SkipReason
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.sandbox.builders import (
    a_landlord,
    a_lease,
    a_tenant,
    a_transaction,
    a_unit,
    an_invoice,
)
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.settings import ReminderSettings, TaskSettings

TODAY, DUE = date(2026, 11, 24), date(2026, 12, 1)
Explain = Callable[..., Timeline]
Lease = Callable[..., str]


@pytest.fixture
def lease(connection: Connection, paystack: PaystackStandIn) -> Lease:
    """Makes a lease whose rent falls due on DUE, of a tenant with a customer."""

    def make(**values: Any) -> str:
        code = paystack.add_customer("thabo@example.com").customer_code
        landlord = a_landlord(connection, paystackSubscriptionStatus="ACTIVE")
        tenants = [a_tenant(connection, landlord, paystackCustomerId=code)]
        given = {"start": date(2026, 1, 1), "tenants": tenants} | values
        return a_lease(connection, landlord=landlord, **given)

    return make


@pytest.fixture
def explain(engine: Engine) -> Explain:
    def load(lease_id: str, as_of: date = TODAY, **tasks: Any) -> Timeline:
        rules = Rules(TaskSettings(**tasks), ReminderSettings())
        return timeline.load(engine, rules, lease_id, as_of)

    return load


@pytest.fixture
def bill(engine: Engine, paystack: PaystackStandIn) -> Iterator[Callable[[], None]]:
    """Plans and bills everything that is due."""
    with PaystackClient(
        secret_key="sk_test_sandbox", base_url=paystack.url,
        quota=SharedQuota(engine, 1_000_000), timeout_seconds=5, connections=2,
    ) as client:  # fmt: skip
        creation = InvoiceCreation(engine, client, 120, send_notification=False)

        def run() -> None:
            with planner.planned(engine, TODAY, TaskSettings()):
                pass
            with engine.connect() as connection:
                due = text("SELECT due_date, lease_id FROM leaseup_dagster.invoice_ledger")
                keys = [LedgerKey(*row) for row in connection.execute(due)]
            for key in keys:
                creation.bill(key)

        yield run


def words(timeline: Timeline) -> str:
    return as_text(timeline.headline, timeline.sections())


def test_a_lease_that_is_to_be_billed(explain: Explain, lease: Lease) -> None:
    timeline = explain(lease())

    assert "rent due 2026-12-01: to be billed, R8 500.00" in timeline.headline
    assert timeline.next_steps == (
        "2026-12-01: the next check_upcoming_invoices (every day at 07:00 SAST) bills R8 500.00.",
    )


def test_a_lease_that_is_not_yet_due_says_on_which_day_it_is_billed(
    explain: Explain, lease: Lease
) -> None:
    timeline = explain(lease(start=date(2027, 3, 1)))

    assert timeline.eligibilities[0].reason == SkipReason.NOT_YET_DUE
    assert "2027-03-01: billed on 2027-01-10 at 07:00 SAST" in timeline.next_steps[0]


def test_a_lease_whose_next_month_is_invoiced_says_when_the_one_after_is(
    explain: Explain, lease: Lease, bill: Callable[[], None]
) -> None:
    lease_id, ending = lease(), lease(endDate=date(2026, 12, 31))
    bill()

    next_month = "2026-12-01: invoiced. The next due date is 2027-01-01, billed on 2026-12-02"
    assert next_month in explain(lease_id).next_steps[0]
    assert "The lease ends on 2026-12-31" in explain(ending).next_steps[0]


def invoiced(connection: Connection, lease_id: str, due: date = DUE, **values: Any) -> None:
    an_invoice(connection, lease_id, due, **values)


def in_ledger(
    connection: Connection, lease_id: str, due: date = DUE, state: str = "planned"
) -> None:
    connection.execute(
        text(
            "INSERT INTO leaseup_dagster.invoice_ledger (lease_id, due_date, reference, tenant_id,"
            " landlord_id, amount_cents, currency, description, state, attempted_at, customer_code,"
            " invoice_id, request_code, error) VALUES (:lease_id, :due, 'LU-X', 't', 'l', 100,"
            " 'ZAR', '', :state, now(), 'CUS_x', 'i', 'PRQ_x', 'why')"
        ),
        {"lease_id": lease_id, "due": due, "state": state},
    )


def deleted(connection: Connection, lease_id: str) -> None:
    in_ledger(connection, lease_id)
    connection.execute(text("DELETE FROM tenant_lease"))
    connection.execute(text("DELETE FROM lease"))


def billed_by_us(connection: Connection, lease_id: str, due: date = DUE, **values: Any) -> None:
    in_ledger(connection, lease_id, due, state="invoiced")
    invoiced(connection, lease_id, due, id="i", paystackId="PRQ_x", **values)


def renewal_of(connection: Connection, lease_id: str) -> None:
    """Another lease of the unit and the tenant, which is billed for the month."""
    unit, tenant = connection.execute(
        text(
            'SELECT "unitId", "tenantId" FROM lease JOIN tenant_lease ON "leaseId" = lease.id'
            " WHERE lease.id = :id"
        ),
        {"id": lease_id},
    ).one()
    earlier = a_lease(
        connection, start=date(2025, 1, 1), unit=unit, tenants=[tenant], status="RENEWED"
    )
    invoiced(connection, earlier)


Arrange = Callable[[Connection, str], None]
NOTHING: Arrange = lambda connection, lease_id: None  # noqa: E731
REASONS: dict[SkipReason, tuple[dict[str, Any], Arrange]] = {
    SkipReason.LEASE_GONE: ({}, deleted),
    SkipReason.ALREADY_INVOICED: ({}, invoiced),
    SkipReason.BILLED_ANOTHER_AMOUNT: (
        {}, lambda c, lease_id: billed_by_us(c, lease_id, dueAmount=1.0),
    ),
    SkipReason.INVOICE_DELETED: ({}, lambda c, lease_id: in_ledger(c, lease_id, state="invoiced")),
    SkipReason.UNDATED_INVOICE: ({}, lambda c, lease_id: invoiced(c, lease_id, None)),
    SkipReason.NEAR_A_BILLED_MONTH: (
        {}, lambda c, lease_id: billed_by_us(c, lease_id, date(2026, 11, 20)),
    ),
    SkipReason.PAST_ITS_END: ({"endDate": date(2026, 11, 1)}, NOTHING),
    SkipReason.ENDS_ON_DUE_DATE: ({"endDate": DUE}, NOTHING),
    SkipReason.BILLED_UNDER_ANOTHER_LEASE: ({}, renewal_of),
    SkipReason.IN_PROGRESS: ({}, lambda c, lease_id: in_ledger(c, lease_id, state="requesting")),
    SkipReason.CANCELLED_BY_PERSON: (
        {}, lambda c, lease_id: invoiced(c, lease_id, status="CANCELLED"),
    ),
    SkipReason.INVOICED_NEARBY: ({}, lambda c, lease_id: invoiced(c, lease_id, date(2026, 11, 30))),
    SkipReason.NOT_AUTOMATIC: ({"automaticInvoice": False}, NOTHING),
    SkipReason.NOT_ACTIVE: ({"status": "ENDED"}, NOTHING),
    SkipReason.NOT_A_DUE_DATE: ({}, lambda c, lease_id: in_ledger(c, lease_id, date(2026, 12, 9))),
    SkipReason.LEASE_ENDS_FIRST: ({"endDate": date(2026, 11, 30)}, NOTHING),
    SkipReason.LANDLORD_NOT_SERVED: ({}, NOTHING),
    SkipReason.NO_UNIT: ({"unit": None}, NOTHING),
    SkipReason.NO_TENANT: ({"tenants": []}, NOTHING),
    SkipReason.CURRENCY_NOT_RAND: ({"rentDueCurrency": "USD"}, NOTHING),
    SkipReason.RENT_INVALID: ({"rent": float("nan")}, NOTHING),
    SkipReason.NOT_YET_DUE: ({"start": date(2027, 3, 1)}, NOTHING),
}  # fmt: skip


@pytest.mark.parametrize("reason", list(SkipReason))
def test_every_reason_for_not_billing_is_told_with_its_meaning(
    explain: Explain, lease: Lease, connection: Connection, reason: SkipReason
) -> None:
    values, arrange = REASONS[reason]
    lease_id = lease(**values)
    arrange(connection, lease_id)
    served = "TRIAL_ACTIVE" if reason is SkipReason.LANDLORD_NOT_SERVED else ""

    timeline = explain(lease_id, landlord_statuses=served)

    assert reason in [eligibility.reason for eligibility in timeline.eligibilities]
    assert reason.words in timeline.headline
    assert reason.meaning in words(timeline)
    assert timeline.next_steps


@pytest.mark.parametrize(
    ("state", "what"),
    [
        ("requesting", "searches for it at Paystack before anything else"),
        ("refused", "tries it again"),
        ("cancelling", "Launch cancel_invoice again"),
    ],
)
def test_each_unfinished_state_says_what_becomes_of_it(
    explain: Explain, lease: Lease, connection: Connection, state: str, what: str
) -> None:
    lease_id = lease()
    in_ledger(connection, lease_id, state=state)

    assert any(what in step for step in explain(lease_id).next_steps)


def test_everything_about_a_billed_lease_is_told(
    explain: Explain, lease: Lease, bill: Callable[[], None], connection: Connection
) -> None:
    lease_id = lease()
    bill()
    row = connection.execute(text('SELECT id, "paystackId", "invoiceNumber" FROM invoice')).one()
    a_transaction(connection, row.id, 500.0, referenceId="T123", method="PAYSTACK")

    said = words(explain(lease_id))

    for part in (row.id, row.paystackId, str(row.invoiceNumber), "R500.00", "T123", "PENDING"):
        assert part in said
    history = [line.split() for line in said.split("History\n")[1].splitlines()[1:]]
    assert [line[6:8] for line in history] == [
        ["planned", "outside"], ["planned", "requesting"], ["requesting", "invoiced"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rands", "said"),
    [(None, "marked as paid manually, no payment recorded"), (8500.0, "R8 500.00")],
)
def test_a_paid_invoice_says_what_was_paid_or_that_nothing_is_recorded(
    explain: Explain, lease: Lease, connection: Connection, rands: float | None, said: str
) -> None:
    lease_id = lease()
    paid = an_invoice(connection, lease_id, date(2026, 11, 1), status="PAID")
    if rands:
        a_transaction(connection, paid, rands)

    (row,) = explain(lease_id).sections()["invoices"][1]

    assert row[4:7] == ("R8 500.00", said, "PAID")


def test_each_time_says_its_zone(
    explain: Explain, lease: Lease, bill: Callable[[], None], connection: Connection
) -> None:
    """Paid at ten in the evening in Johannesburg, which LeaseUp keeps in UTC."""
    lease_id = lease()
    bill()
    invoice = connection.execute(text("SELECT id FROM invoice")).scalar_one()
    a_transaction(connection, invoice, 500.0, createdAt="2026-11-24 20:00:05")

    sections = explain(lease_id).sections()

    assert sections["payments"][1][0][1] == "2026-11-24 22:00:05 SAST"
    assert all(row[0].endswith(" SAST") for row in sections["history"][1])
    assert sections["invoice ledger"][1][0][6].endswith(" SAST")


def remind(connection: Connection, invoice_id: str, tenant_id: str, **values: Any) -> None:
    row = {
        "invoice_id": invoice_id, "tenant_id": tenant_id, "step": 1, "as_of": date(2026, 11, 6),
        "state": "sent", "number": "+27*****4567", "number_hash": "h", "text_hash": "h",
        "amount_cents": 850_000, "attempted_at": "2026-11-06 07:00Z", "run_id": "r",
        "message_id": "SM1", "delivery_status": "delivered", "text": "Hi Thabo",
    } | values  # fmt: skip
    names = ", ".join(row)
    places = ", ".join(f":{name}" for name in row)
    sql = f"INSERT INTO leaseup_dagster.reminder_ledger ({names}) VALUES ({places})"
    connection.execute(text(sql), row)


def test_reminders_are_told_with_the_day_of_the_next(
    explain: Explain, lease: Lease, connection: Connection
) -> None:
    lease_id = lease()
    tenant = connection.execute(text('SELECT "tenantId" FROM tenant_lease')).scalar_one()
    invoice = an_invoice(connection, lease_id, date(2026, 11, 1), status="OVERDUE")
    untold = an_invoice(connection, lease_id, date(2026, 12, 1))
    remind(connection, invoice, tenant, as_of=date(2026, 11, 19), step=3)

    timeline = explain(lease_id)

    (row,) = timeline.sections()["reminders"][1]
    assert row[3:8] == (3, "+27*****4567", "sent", "SM1", "delivered")
    assert (
        f"Invoice {invoice}: tenant {tenant} is texted on 2026-11-26 at 09:00 SAST (reminder 4)"
        in (words(timeline))
    )
    assert (
        f"Invoice {untold}: tenant {tenant} is texted on 2026-12-05 at 09:00 SAST (reminder 1)"
        in (words(timeline))
    )
    assert f"reminder 3 of {invoice} to {tenant}" in words(timeline)


def test_who_had_the_last_reminder_is_texted_no_more(
    explain: Explain, lease: Lease, connection: Connection
) -> None:
    lease_id = lease()
    tenant = connection.execute(text('SELECT "tenantId" FROM tenant_lease')).scalar_one()
    invoice = an_invoice(connection, lease_id, date(2026, 9, 1), status="OVERDUE")
    remind(connection, invoice, tenant, step=4)

    assert any("has had the last reminder" in step for step in explain(lease_id).next_steps)


def test_nothing_personal_is_told(explain: Explain, connection: Connection) -> None:
    landlord = a_landlord(connection, name="Naledi Secret", businessName="Secret Homes")
    tenant = a_tenant(
        connection, landlord, firstName="Lindiwe", lastName="Secret",
        email="secret@example.com", phone="0825551234",
    )  # fmt: skip
    unit = a_unit(connection, landlord, name="Secret flat", property="Secret Court")
    lease_id = a_lease(
        connection, start=date(2026, 1, 1), landlord=landlord, tenants=[tenant], unit=unit
    )
    invoice = an_invoice(connection, lease_id, date(2026, 11, 1), description="Secret rent")
    remind(connection, invoice, tenant, text="Hi Lindiwe, Secret")

    said = words(explain(lease_id)).lower()

    assert not [word for word in ("secret", "lindiwe", "naledi", "0825551234") if word in said]


def test_a_lease_without_any_history_is_explained(explain: Explain, lease: Lease) -> None:
    timeline = explain(lease(automaticInvoice=False, start=date(2030, 1, 1)))

    assert [name for name, (_, rows) in timeline.sections().items() if rows] == [
        "what happens next", "today's plan", "the lease",
    ]  # fmt: skip


def test_ids_of_something_else_say_what_they_are(
    explain: Explain, lease: Lease, connection: Connection
) -> None:
    lease_id = lease()
    invoice = an_invoice(connection, lease_id, DUE)
    tenant = connection.execute(text("SELECT id FROM tenant")).scalar_one()

    for id_, message in {
        "nobody": "There is no lease 'nobody' in LeaseUp",
        "": "The lease's id is missing",
        invoice: f"{invoice!r} is the id of an invoice of lease {lease_id}, not of a lease",
        tenant: f"{tenant!r} is the id of a tenant, not of a lease",
    }.items():
        with pytest.raises(UnknownLease) as error:
            explain(id_)
        assert message in str(error.value)


def test_it_cannot_write(engine: Engine, connection: Connection, lease: Lease) -> None:
    """The transaction itself is read-only, whatever a statement may try."""
    read_only = engine.connect().execution_options(postgresql_readonly=True)
    with read_only as inside, pytest.raises(DBAPIError, match="read-only"):
        inside.execute(text("DELETE FROM leaseup_dagster.invoice_ledger"))


def test_the_job_shows_it_all_asks_nobody_and_needs_no_key(
    run: Callable[..., dg.ExecuteInProcessResult], settings: pytest.MonkeyPatch, lease: Lease,
    paystack: PaystackStandIn, connection: Connection,
) -> None:  # fmt: skip
    lease_id = lease()
    settings.delenv("PAYSTACK_SECRET_KEY")

    result = run(
        "explain_lease", {"explain_one_lease": {"lease_id": lease_id, "as_of": str(TODAY)}}
    )

    assert result.success
    (event,) = [e for e in result.all_events if e.event_type_value == "STEP_OUTPUT"]
    metadata = event.event_specific_data.metadata
    assert "to be billed, R8 500.00" in metadata["report"].value
    assert metadata["today's plan"].value.records[0].data["eligibility"] == "to bill"
    assert paystack.requests == []
    ledger = "SELECT count(*) FROM leaseup_dagster.invoice_ledger"
    assert connection.execute(text(ledger)).scalar() == 0


def test_the_report_of_the_morning_has_a_config_to_paste_that_works(
    run: Callable[..., dg.ExecuteInProcessResult], lease: Lease
) -> None:
    lease_id = lease()
    done = run("check_upcoming_invoices", {"plan_invoices": {"as_of": str(TODAY)}})
    (event,) = [e for e in done.all_events if e.event_type_value == "ASSET_MATERIALIZATION"]
    page = event.step_materialization_data.materialization.metadata["report"].value

    pasted = yaml.safe_load(page.split("launch explain_lease with `")[1].split("`")[0])
    ops = {name: values["config"] for name, values in pasted["ops"].items()}

    assert ops == {"explain_one_lease": {"lease_id": lease_id}}
    assert run("explain_lease", ops).success


def test_an_unknown_lease_fails_the_run_at_once(
    run: Callable[..., dg.ExecuteInProcessResult],
) -> None:
    result = run("explain_lease", {"explain_one_lease": {"lease_id": "nobody"}})

    (failure,) = [e for e in result.all_events if e.is_step_failure]
    assert "There is no lease 'nobody' in LeaseUp" in failure.event_specific_data.error.message


def test_the_shell_prints_the_same_and_asks_paystack_when_told_to(
    settings: pytest.MonkeyPatch, tmp_path: Any, capsys: pytest.CaptureFixture[str],
    lease: Lease, bill: Callable[[], None], paystack: PaystackStandIn, explain: Explain,
) -> None:  # fmt: skip
    lease_id = lease()
    bill()
    paystack.pay(paystack.payment_requests[0].request_code, 100_000)
    settings.chdir(tmp_path)

    settings.setattr(sys, "argv", ["leaseup-dagster", "explain", lease_id, "--as-of", str(TODAY)])
    assert cli.main() == 0
    plain = capsys.readouterr().out
    settings.setattr(sys, "argv", [*sys.argv, "--ask-paystack"])
    assert cli.main() == 0
    asked = capsys.readouterr().out

    assert plain.strip() == words(explain(lease_id)).strip()
    assert "pending, R1 000.00 of R8 500.00" in asked
    assert json.dumps(paystack.requests[-1].endpoint) == '"GET /paymentrequest/:code"'


def test_a_program_reads_the_same_as_json(
    settings: pytest.MonkeyPatch, tmp_path: Any, capsys: pytest.CaptureFixture[str],
    lease: Lease, bill: Callable[[], None], explain: Explain,
) -> None:  # fmt: skip
    lease_id = lease()
    bill()
    settings.chdir(tmp_path)
    given = ["leaseup-dagster", "explain", lease_id, "--as-of", str(TODAY), "--json"]
    settings.setattr(sys, "argv", given)

    assert cli.main() == 0

    said, timeline = json.loads(capsys.readouterr().out), explain(lease_id)
    assert (said["lease"], said["as of"]) == (lease_id, str(TODAY))
    assert said["headline"] == timeline.headline
    assert set(timeline.sections()) <= set(said)
    assert said["what happens next"] == list(timeline.next_steps)
    assert said["the lease"]["rent"] == "R8 500.00"
    assert [row["to"] for row in said["history"]] == ["planned", "requesting", "invoiced"]
    assert said["payments"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nobody"], "There is no lease 'nobody'"),
        (["l", "--as-of", "soon"], "--as-of must be a date"),
    ],
)
def test_the_shell_says_what_is_wrong(
    settings: pytest.MonkeyPatch, tmp_path: Any, capsys: pytest.CaptureFixture[str],
    arguments: list[str], message: str,
) -> None:  # fmt: skip
    settings.chdir(tmp_path)
    settings.setattr(sys, "argv", ["leaseup-dagster", "explain", *arguments])

    assert cli.main() == 2
    assert message in capsys.readouterr().err
