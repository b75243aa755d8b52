"""Which invoices are late, what is due on them, and who is reminded, on a real PostgreSQL."""

from datetime import date

import pytest
from sqlalchemy import Engine, text

from leaseup_dagster.invoicing.payments import records
from leaseup_dagster.reminders.overdue import queries
from leaseup_dagster.reminders.rules.recipients import Reminder
from leaseup_dagster.sandbox.builders import (
    a_landlord,
    a_lease,
    a_tenant,
    a_transaction,
    an_invoice,
    insert,
)
from tests.reminders.conftest import DUE, Late, day, status


def mark(engine: Engine, as_of: date) -> int:
    with engine.begin() as connection:
        return queries.mark_overdue(connection, as_of)


def late_ids(engine: Engine, as_of: date) -> list[str]:
    with engine.begin() as connection:
        return [row.invoice_id for row in queries.overdue_invoices(connection, as_of, 3)]


def reminder(engine: Engine, invoice_id: str) -> Reminder:
    with engine.connect() as connection:
        (row,) = queries.reminders(connection, [invoice_id], day(4), 3)
        return row


def test_pending_becomes_overdue_the_day_after_its_due_date(engine, connection, late) -> None:
    invoice = late(status="PENDING").invoice_id

    assert mark(engine, DUE) == 0
    assert mark(engine, day(1)) == 1
    assert status(connection, invoice) == "OVERDUE"


def test_updated_at_is_set_in_utc(engine, connection, late) -> None:
    late(status="PENDING", updatedAt=date(2026, 1, 1))
    mark(engine, day(1))

    fresh = text("""SELECT now() AT TIME ZONE 'UTC' - "updatedAt" < '1 minute' FROM invoice""")
    assert connection.execute(fresh).scalar()


def test_only_pending_is_marked(engine, connection, late) -> None:
    others = {kept: late(status=kept).invoice_id for kept in ("PAID", "CANCELLED", "DRAFT")}

    assert mark(engine, day(30)) == 0
    assert {kept: status(connection, id_) for kept, id_ in others.items()} == {
        kept: kept for kept in others
    }


def test_what_recorded_payments_cover_is_not_marked(engine, connection, late) -> None:
    invoice = late(status="PENDING").invoice_id
    a_transaction(connection, invoice, 8500.0)

    assert mark(engine, day(30)) == 0


def test_an_invoice_without_a_due_date_is_never_late(engine, connection) -> None:
    lease = a_lease(connection, start=date(2026, 1, 1))
    an_invoice(connection, lease, None)

    assert mark(engine, day(30)) == 0
    assert late_ids(engine, day(30)) == []


def test_late_is_more_than_three_days_after_the_due_date(engine, late) -> None:
    invoice = late().invoice_id

    assert late_ids(engine, day(3)) == []
    assert late_ids(engine, day(4)) == [invoice]


def test_overdue_is_counted_from_the_due_date_not_from_the_rows_making(engine, late) -> None:
    """Tenants were once texted that they were late long before the due date."""
    late(createdAt=date(2026, 1, 1))

    assert late_ids(engine, day(2)) == []


def test_drafts_cancelled_and_paid_invoices_are_never_chased(engine, late) -> None:
    made = {
        late(status=state).invoice_id: state
        for state in ("PENDING", "OVERDUE", "PARTIALLY_PAID", "PAID", "CANCELLED", "DRAFT")
    }

    overdue_invoices = {made[id_] for id_ in late_ids(engine, day(4))}

    assert overdue_invoices == {"PENDING", "OVERDUE", "PARTIALLY_PAID"}


def test_what_is_due_is_the_amount_less_recorded_payments(engine, connection, late) -> None:
    for paid, due_cents in (
        ([], 850_000),
        ([3000.0], 550_000),
        ([0.1, 0.2], 849_970),
        ([8499.99], 1),
    ):
        invoice = late().invoice_id
        for rands in paid:
            a_transaction(connection, invoice, rands)

        assert reminder(engine, invoice).due_cents == due_cents


def test_nothing_due_is_not_late(engine, connection, late) -> None:
    for paid in ([8500.0], [8000.0, 500.0], [9000.0]):
        invoice = late().invoice_id
        for rands in paid:
            a_transaction(connection, invoice, rands)

    assert late_ids(engine, day(4)) == []


def test_an_unreadable_amount_is_found_and_stops_nothing(engine, late) -> None:
    good = late().invoice_id
    bad = [late(dueAmount=float(amount)).invoice_id for amount in ("nan", "inf")]

    assert [reminder(engine, invoice).due_cents for invoice in bad] == [None, None]
    assert reminder(engine, good).due_cents == 850_000


def test_every_tenant_of_the_lease_is_told_once(engine, connection) -> None:
    landlord = a_landlord(connection)
    tenants = [a_tenant(connection, landlord) for _ in range(3)]
    lease = a_lease(
        connection, start=date(2026, 1, 1), landlord=landlord, tenants=[*tenants, tenants[0]]
    )
    invoice = an_invoice(connection, lease, DUE)

    with engine.connect() as reading:
        found = queries.reminders(reading, [invoice], day(4), 3)

    assert sorted(row.tenant_id for row in found) == sorted(tenants)


def test_an_invoice_without_a_lease_is_for_its_own_tenant(engine, connection) -> None:
    landlord = a_landlord(connection, businessName="")
    tenant = a_tenant(connection, landlord, firstName="Lerato")
    invoice = an_invoice(connection, None, DUE, tenantId=tenant, landlordId=landlord)

    row = reminder(engine, invoice)

    assert (row.tenant_id, row.first_name, row.unit) == (tenant, "Lerato", "")
    assert row.landlord == "Naledi Dlamini"


def reminded(engine: Engine, invoice_id: str) -> set[str]:
    with engine.connect() as connection:
        return {row.tenant_id for row in queries.reminders(connection, [invoice_id], day(4), 3)}


def pass_on(connection, lease: str, *tenants: str) -> None:
    """As LeaseUp's form does it: the rows that say who lives there are replaced."""
    connection.execute(text('DELETE FROM tenant_lease WHERE "leaseId" = :id'), {"id": lease})
    for tenant in tenants:
        insert(connection, "tenant_lease", tenantId=tenant, leaseId=lease)


def test_a_debt_stays_with_the_former_tenant_when_the_lease_is_passed_on(
    engine, connection
) -> None:
    landlord = a_landlord(connection)
    former, next_one = a_tenant(connection, landlord), a_tenant(connection, landlord)
    lease = a_lease(connection, start=DUE, landlord=landlord, tenants=[former])
    made = an_invoice(connection, lease, DUE)

    pass_on(connection, lease, next_one)

    assert reminded(engine, made) == {former}


def test_who_shares_the_lease_with_the_invoices_tenant_is_told_too(engine, connection) -> None:
    landlord = a_landlord(connection)
    own, partner = a_tenant(connection, landlord), a_tenant(connection, landlord)
    lease = a_lease(connection, start=DUE, landlord=landlord, tenants=[own])
    made = an_invoice(connection, lease, DUE)

    pass_on(connection, lease, own, partner)

    assert reminded(engine, made) == {own, partner}


@pytest.mark.parametrize(
    ("end", "category", "late"),
    [
        (date(2026, 10, 31), "RENT", False),
        (DUE, "RENT", True),
        (None, "RENT", True),
        (date(2026, 10, 31), "WATER_ELECTRICITY", True),
    ],
)
def test_rent_for_a_day_after_the_lease_is_over_is_not_texted(
    engine, connection, end, category, late
) -> None:
    lease = a_lease(connection, start=date(2026, 1, 1), endDate=end)
    made = an_invoice(connection, lease, DUE, category=category)

    assert (late_ids(engine, day(4)) == [made]) is late


def test_a_lease_that_nobody_lives_under_leaves_the_invoices_own_tenant(
    engine, connection, late
) -> None:
    made: Late = late()
    connection.execute(text("DELETE FROM tenant_lease"))

    assert reminder(engine, made.invoice_id).tenant_id == made.tenant_id


def test_the_link_is_the_applications_or_made_from_the_code(engine, late) -> None:
    given = late(paymentRequestUrl="https://example.com/pay").invoice_id
    made = late()

    assert reminder(engine, given).link == "https://example.com/pay"
    assert reminder(engine, made.invoice_id).link.endswith(f"/pay/{made.request_code}")


def test_nobodys_data_is_shown_by_a_rows_repr(engine, late) -> None:
    shown = repr(reminder(engine, late(tenant={"firstName": "Lerato"}).invoice_id))

    assert "Lerato" not in shown
    assert "082" not in shown


def test_our_own_list_of_what_is_open_locks_out_the_rest(engine, connection, late) -> None:
    made = late()
    with engine.begin() as locking:
        assert records.lock_if_open(locking, made.invoice_id)
    connection.execute(text("UPDATE invoice SET status = 'PAID'"))
    with engine.begin() as locking:
        assert not records.lock_if_open(locking, made.invoice_id)
