"""What people do to leases and invoices in a random history, and one promise about them."""

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from leaseup_dagster.sandbox import landlord
from leaseup_dagster.sandbox.builders import a_lease, a_recurring_billable
from tests.faults.promises import Duplicate
from tests.faults.world import World

NEAR = timedelta(days=20)


class LeaseRules:
    """Rules of a history with a `world`, a `landlord` and `leases`. `gone`: the payment requests of
    deleted invoices."""

    @rule(lease=st.integers(0, 2), ahead=st.sampled_from([-20, 0, 15, 40]), over=st.booleans())
    def a_lease_is_renewed(self: Any, lease: int, ahead: int, over: bool) -> None:
        """A new lease of the same unit and tenant. If `over`, the old one ends when it starts."""
        rows = self.world.rows(
            'SELECT lease."unitId", "tenantId" FROM lease JOIN tenant_lease'
            ' ON "leaseId" = lease.id WHERE lease.id = :id',
            id=self.leases[lease],
        )
        unit, tenant = rows[0]
        start = self.today + timedelta(days=ahead)
        new = a_lease(
            self.world.connection, start=start, landlord=self.landlord, tenants=[tenant], unit=unit
        )
        a_recurring_billable(self.world.connection, new, str(tenant), startDate=start)
        self.record(f"{self.leases[lease]} is renewed as {new} from {start}, ended: {over}")
        self.tally.events["renewals"] += 1
        if over:
            landlord.end_lease(self.world.connection, self.leases[lease], start)
        self.leases[lease] = new

    @rule(which=st.integers(0, 20))
    def an_invoice_is_deleted(self: Any, which: int) -> None:
        """An open invoice is deleted, with its payments."""
        invoice = self._an_open_invoice(which)
        if invoice:
            self.record(f"the invoice of {invoice[1]} is deleted")
            self.tally.events["invoices deleted"] += 1
            self.gone.add(str(invoice[1]))
            values = {"id": invoice[0]}
            for table, column in (("transaction", '"invoiceId"'), ("invoice", "id")):
                self.world.rows(f"DELETE FROM {table} WHERE {column} = :id RETURNING id", **values)

    @rule(lease=st.integers(0, 2))
    def an_invoice_without_a_due_date_is_made(self: Any, lease: int) -> None:
        """The landlord creates a rent invoice without a due date."""
        self.record(f"{self.leases[lease]} gets a rent invoice manually, without a due date")
        self.tally.events["undated invoices"] += 1
        landlord.make_invoice(
            self.world.connection, self.world.paystack, lease=self.leases[lease], rands=8500.0,
            due=None, createdAt=self.today,
        )  # fmt: skip


def check_one_bill_per_unit_and_month(world: World) -> None:
    """No two months that we billed to one unit and tenant are less than 21 days apart, unless a
    person cancelled or deleted one. This does not use the rules of the plan."""
    rows = world.rows(
        'SELECT "unitId", invoice."tenantId", ledger.due_date, ledger.lease_id'
        " FROM leaseup_dagster.invoice_ledger AS ledger"
        " JOIN invoice ON invoice.id = ledger.invoice_id AND invoice.status <> 'CANCELLED'"
        " JOIN lease ON lease.id = ledger.lease_id WHERE ledger.state = 'invoiced'"
        " ORDER BY 1, 2, 3"
    )
    for before, after in pairwise(rows):
        days: tuple[date, date] = (before[2], after[2])  # type: ignore[assignment]
        if before[:2] == after[:2] and days[1] - days[0] <= NEAR:
            raise Duplicate(f"one unit and tenant, two bills: {before} and {after}")
