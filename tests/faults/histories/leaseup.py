"""What LeaseUp's application and its landlords do in a random history, and reconciliation."""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from leaseup_dagster.sandbox import landlord
from leaseup_dagster.sandbox.builders import a_tenant, insert
from leaseup_dagster.sandbox.leaseup_webhook import receive
from tests.faults import money
from tests.faults.histories.run_faults import RECONCILIATION_FAULTS, names
from tests.faults.scenarios.reconciliation import ReconciliationScenario

WHICH = st.integers(0, 20)
RECEIVED = st.sampled_from(["at once", "at once", "twice", "late", "never"])
DAYS = st.sampled_from([0, 1, 1, 5])


class LeaseUpRules:
    """Rules of a history with a `world`, a `landlord` and `leases`. `messages`: events from
    Paystack that LeaseUp's webhook has not received yet."""

    @rule(which=WHICH, part=st.sampled_from([1.0, 1.0, 0.4]), heard=RECEIVED)
    def a_tenant_pays_at_paystack(self: Any, which: int, part: float, heard: str) -> None:
        """A payment, of which LeaseUp's webhook hears at once, twice, later or never."""
        payable = [r for r in self.world.paystack.payment_requests if not r.archived and not r.paid]
        payable.sort(key=lambda r: (r.metadata or {"lease_id": ""})["lease_id"] + str(r.due_date))
        if not payable:
            return
        request = payable[which % len(payable)]
        self.record(
            f"{request.request_code} is paid{'' if part == 1 else ' in part'}, heard {heard}"
        )
        self.tally.events[f"payments at Paystack, heard {heard}"] += 1
        self.world.paystack.pay(request.request_code, int(request.amount * part))
        if request.paid:
            self.messages += {"at once": 1, "twice": 2, "late": 1, "never": 0}[heard] * [
                request.event()
            ]
        if heard != "late":
            self._messages_arrive()
        self._check_safety()

    @rule()
    def late_messages_arrive(self: Any) -> None:
        """The webhook receives what it has missed."""
        if self.messages:
            self.record("the webhook hears of earlier payments")
            self.tally.events["late messages"] += len(self.messages)
            self._messages_arrive()

    def _messages_arrive(self: Any) -> None:
        for message in self.messages:
            receive(self.world.connection, message)
        self.messages.clear()

    @rule(which=WHICH)
    def the_landlord_marks_as_paid(self: Any, which: int) -> None:
        """A manual payment of the whole invoice."""
        invoice = self._an_open_invoice(which)
        if invoice:
            self.record(f"{invoice[1]} is marked as paid manually")
            self.tally.events["marked as paid"] += 1
            landlord.mark_as_paid(self.world.connection, invoice[0])

    @rule(which=WHICH)
    def a_part_is_paid_in_cash(self: Any, which: int) -> None:
        """A manual payment of a part."""
        invoice = self._an_open_invoice(which)
        if invoice:
            self.record(f"a part of {invoice[1]} is paid in cash")
            self.tally.events["payments offline"] += 1
            insert(self.world.connection, "transaction", invoiceId=invoice[0], description="Cash",
                   amountPaid=invoice[2] * 0.3)  # fmt: skip
            self._set_status(invoice[0], "PARTIALLY_PAID")

    @rule(which=WHICH)
    def the_landlord_voids(self: Any, which: int) -> None:
        """LeaseUp cancels the invoice and archives its payment request."""
        invoice = self._an_open_invoice(which)
        if invoice:
            self.record(f"{invoice[1]} is voided")
            self.tally.events["voided"] += 1
            landlord.void(self.world.connection, self.world.paystack, invoice[0])

    @rule(lease=st.integers(0, 2))
    def the_lease_is_passed_on(self: Any, lease: int) -> None:
        """Another tenant takes over the lease."""
        tenant = a_tenant(self.world.connection, self.landlord)
        self.record(f"{self.leases[lease]} is passed on to {tenant}")
        self.tally.events["leases passed on"] += 1
        landlord.change_tenant(self.world.connection, self.leases[lease], tenant)

    @rule(lease=st.integers(0, 2), days=st.sampled_from([-10, 0, 20]))
    def the_lease_is_ended(self: Any, lease: int, days: int) -> None:
        """The landlord ends the lease, perhaps in the past."""
        on = self.today + timedelta(days=days)
        self.record(f"{self.leases[lease]} is ended on {on}")
        self.tally.events["leases ended"] += 1
        landlord.end_lease(self.world.connection, self.leases[lease], on)

    @rule(lease=st.integers(0, 2), column=st.sampled_from(["email", "phone"]))
    def a_tenant_is_edited(self: Any, lease: int, column: str) -> None:
        """LeaseUp changes the data; the Paystack customer keeps the old e-mail address."""
        rows = self.world.rows(
            'SELECT "tenantId" FROM tenant_lease WHERE "leaseId" = :id', id=self.leases[lease]
        )
        self.edited += 1
        value = {"email": f"new{self.edited}@example.com", "phone": f"083{self.edited:07}"}[column]
        self.record(f"the {column} of {rows[0][0]} becomes {value}")
        self.tally.events["tenants edited"] += 1
        landlord.edit_tenant(self.world.connection, str(rows[0][0]), **{column: value})

    @rule()
    def leaseups_own_monthly_task_runs(self: Any) -> None:
        """As if nobody had switched it off."""
        made = landlord.run_monthly_task(self.world.connection, self.world.paystack, self.today)
        self.record(f"LeaseUp's own monthly task makes {len(made)} invoice{'s' * (len(made) != 1)}")
        self.tally.events["invoices of LeaseUp's own task"] += len(made)
        self._check_safety()

    @rule(days=DAYS)
    def the_night(self: Any, days: int) -> None:
        """A reconciliation without faults."""
        self._days_pass(days)
        self.record("the night, in a healthy world")
        self._reconcile(None)

    @rule(days=DAYS, what=st.sampled_from(names(RECONCILIATION_FAULTS)), ends=st.booleans())
    def a_disturbed_night(self: Any, days: int, what: str, ends: bool) -> None:
        """A reconciliation with a fault. If `ends`, its failure is not retried."""
        self._days_pass(days)
        self.record(f"the night: {what}; {'it ends there' if ends else 'tried again'}")
        self._arm(what, RECONCILIATION_FAULTS)
        self._reconcile(what, ends=ends)

    def _reconcile(self: Any, fault: str | None, *, ends: bool = False) -> None:
        self.tally.events["nights"] += 1
        if fault is None:  # requests that the list does not show yet are not compared
            self.world.paystack.reveal()
        before = money.recorded(self.world)
        ReconciliationScenario(self.world).run(self._heal(fault, ends))
        self.world.heal()
        money.check_we_recorded_no_excess(self.world, before)
        self._check_safety()
        if fault is None:
            money.check_payments_agree(self.world)
