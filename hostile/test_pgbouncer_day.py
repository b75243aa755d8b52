"""A whole day, directly and through PgBouncer, with the same result."""

from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.sandbox.builders import a_landlord, a_lease, a_tenant, a_unit
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.sandbox.twilio import TwilioStandIn
from tests.invoicing.conftest import customer, due_lease  # noqa: F401
from tests.reconciliation.conftest import today
from tests.reminders.conftest import day, late, texting, twilio  # noqa: F401

LEASES, LATE = 40, 5
LEDGERS = ("invoice_history", "reminder_history")


@pytest.mark.parametrize("limit", ["direct", 5, 1])
def test_a_day_of_runs(
    run: Callable[..., Any],
    texting: pytest.MonkeyPatch,  # noqa: F811
    late: Callable[..., Any],  # noqa: F811
    due_lease: Callable[..., LedgerKey],  # noqa: F811
    connection: Connection,
    paystack: PaystackStandIn,
    twilio: TwilioStandIn,  # noqa: F811
    through: str,
    limit: object,
) -> None:
    if limit != "direct":
        texting.setenv("DATABASE_URL", through.replace("limit=5", f"limit={limit}"))
    due = [due_lease() for _ in range(LEASES)]
    landlord = a_landlord(connection)
    newcomer = a_tenant(connection, landlord, email="new@example.com")
    home = a_unit(connection, landlord)
    a_lease(connection, start=date(2026, 1, 1), landlord=landlord, unit=home, tenants=[newcomer])
    for _ in range(LATE):
        late()

    runs = [
        run("create_paystack_customers"),
        run("check_upcoming_invoices", {"plan_invoices": {"as_of": "2026-11-24"}}),
        run("reconcile_payment_requests",
            {"cut_into_weeks": {"since": str(today() - timedelta(days=3)), "as_of": str(today())}}),
        run("send_late_payment_reminders",
            {"mark_overdue_invoices": {"as_of": str(day(4)), "ignore_quiet_hours": True}}),
    ]  # fmt: skip

    assert [one.success for one in runs] == [True] * 4
    billed = Counter((r.metadata or {}).get("lease_id") for r in paystack.payment_requests)
    assert {key.lease_id: billed[key.lease_id] for key in due} == {k.lease_id: 1 for k in due}
    assert len(twilio.messages) == LATE
    states = text("SELECT state, count(*) FROM leaseup_dagster.invoice_ledger GROUP BY 1")
    assert {state: n for state, n in connection.execute(states)} == {"invoiced": LEASES + 1 + LATE}
    for ledger in LEDGERS:
        run_ids = text(f"SELECT DISTINCT run_id FROM leaseup_dagster.{ledger}")
        ids = set(connection.execute(run_ids).scalars())
        assert ids
        assert ids <= {one.run_id for one in runs}
