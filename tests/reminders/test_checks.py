"""The check of the asset `reminders`: whether anybody was texted who had paid."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Connection, text

from leaseup_dagster.sandbox.builders import a_transaction
from tests.invoicing.test_checks import evaluations
from tests.reminders.conftest import Late

Run = Callable[..., dg.ExecuteInProcessResult]
NAME = "no_paid_invoice_texted"
SEND = (
    "send_late_payment_reminders",
    {"mark_overdue_invoices": {"as_of": "2026-11-05", "ignore_quiet_hours": True}},
)


def ago(**time: float) -> datetime:
    """As LeaseUp writes an instant: UTC, without a zone."""
    return (datetime.now(tz=timezone.utc) - timedelta(**time)).replace(tzinfo=None)


@pytest.fixture
def texted(run: Run, late: Callable[..., Late], texting: pytest.MonkeyPatch) -> Late:
    one = late()
    result = run(*SEND)
    assert result.success
    assert evaluations(result)[NAME]["passed"]
    return one


@pytest.fixture
def check(run: Run) -> Callable[[], dict[str, Any]]:
    return lambda: evaluations(run("audit_books"))[NAME]


def test_a_payment_before_the_text_is_found(check, texted: Late, connection: Connection) -> None:
    a_transaction(connection, texted.invoice_id, 5000, createdAt=ago(hours=2))
    assert check()["passed"]
    a_transaction(connection, texted.invoice_id, 3500, createdAt=ago(hours=1))

    found = check()

    assert (found["passed"], found["texted although paid"]) == (False, 1)
    assert found["texted although paid: ids"] == (
        f"{texted.invoice_id} step 1 tenant {texted.tenant_id}"
    )


def test_an_invoice_marked_paid_before_the_text_is_found(
    check, texted: Late, connection: Connection
) -> None:
    paid = text("""UPDATE invoice SET status = 'PAID', "updatedAt" = :at""")
    connection.execute(paid, {"at": ago(hours=1)})

    assert not check()["passed"]


def test_a_payment_after_the_text_is_as_it_should_be(
    check, texted: Late, connection: Connection
) -> None:
    a_transaction(connection, texted.invoice_id, 8500)
    connection.execute(text("""UPDATE invoice SET status = 'PAID', "updatedAt" = now()"""))

    assert check()["passed"]


def test_what_was_looked_at_is_not_shown_for_ever(
    check, texted: Late, connection: Connection
) -> None:
    a_transaction(connection, texted.invoice_id, 8500, createdAt=ago(days=40))
    ledger = "leaseup_dagster.reminder_ledger"
    connection.execute(text(f"UPDATE {ledger} SET attempted_at = now() - interval '31 days'"))

    assert check()["passed"]
