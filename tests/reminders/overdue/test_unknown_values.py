"""A later LeaseUp has enum values that are not known here: such a row stops no other."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, text

from leaseup_dagster.reminders.keys import Kind
from tests.reminders.conftest import day, kinds


@pytest.fixture
def later_leaseup(connection: Connection) -> None:
    for enum, value in {
        "InvoiceCategory": "PARKING",
        "InvoiceStatus": "DISPUTED",
        "TransactionMethod": "CARD",
        "LeaseStatus": "PAUSED",
        "SubscriptionPlanStatus": "PAST_DUE",
    }.items():
        connection.execute(text(f"""ALTER TYPE "{enum}" ADD VALUE IF NOT EXISTS '{value}'"""))


def test_a_category_that_is_not_known_is_texted_as_an_invoice(
    later_leaseup: None, late: Callable, remind: Callable, twilio
) -> None:
    for category in ("RENT", "PARKING", "RENT"):
        late(category=category)

    assert kinds(remind(day(4))) == [Kind.TEXTED] * 3
    assert sum("invoice of R8 500.00" in message.body for message in twilio.messages) == 1


def test_a_status_that_is_not_known_is_not_chased_and_stops_no_other(
    later_leaseup: None, late: Callable, remind: Callable, connection: Connection
) -> None:
    disputed, other = late(), late()
    connection.execute(
        text("UPDATE invoice SET status = 'DISPUTED' WHERE id = :id"), {"id": disputed.invoice_id}
    )

    assert [r.invoice_id for r in remind(day(4)) if r.kind is Kind.TEXTED] == [other.invoice_id]


def test_a_lease_a_payment_and_a_landlord_of_tomorrow_are_explained(
    later_leaseup: None, late: Callable, run, connection: Connection
) -> None:
    made = late()
    connection.execute(text("UPDATE lease SET status = 'PAUSED'"))
    connection.execute(text("""UPDATE "user" SET "paystackSubscriptionStatus" = 'PAST_DUE'"""))
    connection.execute(
        text(
            """INSERT INTO transaction (id, "invoiceId", description, "amountPaid", method,
            "updatedAt") VALUES ('t', :invoice, 'Card', 100, 'CARD', now())"""
        ),
        {"invoice": made.invoice_id},
    )

    lease = connection.execute(text("SELECT id FROM lease")).scalar_one()
    assert run("explain_lease", {"explain_one_lease": {"lease_id": lease}}).success
    assert run("check_upcoming_invoices").success
