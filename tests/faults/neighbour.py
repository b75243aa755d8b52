"""What LeaseUp's application and its landlords do in a random history, and the night after."""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from leaseup_dagster.sandbox import landlord
from leaseup_dagster.sandbox.builders import a_tenant, insert
from leaseup_dagster.sandbox.leaseup_webhook import receive
from tests.faults import money
from tests.faults.disturbances import NIGHTS, names
from tests.faults.nights import Nights

WHICH = st.integers(0, 20)
HEARD = st.sampled_from(["at once", "at once", "twice", "late", "never"])
DAYS = st.sampled_from([0, 1, 1, 5])


class WithLeaseUp:
    """Rules of a history. It has a `world`, a `landlord`, `leases` and `messages`: those of
    Paystack's that LeaseUp's webhook has yet to get."""

    @rule(which=WHICH, part=st.sampled_from([1.0, 1.0, 0.4]), heard=HEARD)
    def a_tenant_pays_at_paystack(self: Any, which: int, part: float, heard: str) -> None:
        live = [r for r in self.world.paystack.payment_requests if not r.archived and not r.paid]
        live.sort(key=lambda r: (r.metadata or {"lease_id": ""})["lease_id"] + str(r.due_date))
        if not live:
            return
        request = live[which % len(live)]
        self.tell(f"{request.request_code} is paid{'' if part == 1 else ' in part'}, heard {heard}")
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
        if self.messages:
            self.tell("the webhook hears of earlier payments")
            self.tally.events["late messages"] += len(self.messages)
            self._messages_arrive()

    def _messages_arrive(self: Any) -> None:
        for message in self.messages:
            receive(self.world.connection, message)
        self.messages.clear()

    @rule(which=WHICH)
    def the_landlord_marks_as_paid(self: Any, which: int) -> None:
        invoice = self._an_open_invoice(which)
        if invoice:
            self.tell(f"{invoice[1]} is marked as paid manually")
            self.tally.events["marked as paid"] += 1
            landlord.mark_as_paid(self.world.connection, invoice[0])

    @rule(which=WHICH)
    def a_part_is_paid_in_cash(self: Any, which: int) -> None:
        invoice = self._an_open_invoice(which)
        if invoice:
            self.tell(f"a part of {invoice[1]} is paid in cash")
            self.tally.events["payments offline"] += 1
            insert(self.world.connection, "transaction", invoiceId=invoice[0], description="Cash",
                   amountPaid=invoice[2] * 0.3)  # fmt: skip
            self._set_status(invoice[0], "PARTIALLY_PAID")

    @rule(which=WHICH)
    def the_landlord_voids(self: Any, which: int) -> None:
        invoice = self._an_open_invoice(which)
        if invoice:
            self.tell(f"{invoice[1]} is voided")
            self.tally.events["voided"] += 1
            landlord.void(self.world.connection, self.world.paystack, invoice[0])

    @rule(lease=st.integers(0, 2))
    def the_lease_is_passed_on(self: Any, lease: int) -> None:
        tenant = a_tenant(self.world.connection, self.landlord)
        self.tell(f"{self.leases[lease]} is passed on to {tenant}")
        self.tally.events["leases passed on"] += 1
        landlord.change_tenant(self.world.connection, self.leases[lease], tenant)

    @rule(lease=st.integers(0, 2), days=st.sampled_from([-10, 0, 20]))
    def the_lease_is_ended(self: Any, lease: int, days: int) -> None:
        on = self.today + timedelta(days=days)
        self.tell(f"{self.leases[lease]} is ended on {on}")
        self.tally.events["leases ended"] += 1
        landlord.end_lease(self.world.connection, self.leases[lease], on)

    @rule(lease=st.integers(0, 2), column=st.sampled_from(["email", "phone"]))
    def a_tenant_is_edited(self: Any, lease: int, column: str) -> None:
        """The Paystack customer keeps the old address."""
        rows = self.world.rows(
            'SELECT "tenantId" FROM tenant_lease WHERE "leaseId" = :id', id=self.leases[lease]
        )
        self.edited += 1
        value = {"email": f"new{self.edited}@example.com", "phone": f"083{self.edited:07}"}[column]
        self.tell(f"the {column} of {rows[0][0]} becomes {value}")
        self.tally.events["tenants edited"] += 1
        landlord.edit_tenant(self.world.connection, str(rows[0][0]), **{column: value})

    @rule()
    def leaseups_own_monthly_task_runs(self: Any) -> None:
        """Somebody no longer has to switch it off."""
        made = landlord.run_monthly_task(self.world.connection, self.world.paystack, self.today)
        self.tell(f"LeaseUp's own monthly task makes {len(made)} invoices")
        self.tally.events["invoices of LeaseUp's own task"] += len(made)
        self._check_safety()

    @rule(days=DAYS)
    def the_night(self: Any, days: int) -> None:
        self._days_pass(days)
        self.tell("the night, in a healthy world")
        self._reconcile(None)

    @rule(days=DAYS, what=st.sampled_from(names(NIGHTS)), ends=st.booleans())
    def a_disturbed_night(self: Any, days: int, what: str, ends: bool) -> None:
        self._days_pass(days)
        self.tell(f"the night: {what}; {'it ends there' if ends else 'tried again'}")
        self._disturb(what, NIGHTS)
        self._reconcile(what, ends=ends)

    def _reconcile(self: Any, disturbed: str | None, *, ends: bool = False) -> None:
        self.tally.events["nights"] += 1
        if disturbed is None:  # what may not be in Paystack's list yet is not compared
            self.world.paystack.reveal()
        before = money.recorded(self.world)
        Nights(self.world).run(self._heal(disturbed, ends))
        self.world.heal()
        money.we_never_wrote_too_much(self.world, before)
        self._check_safety()
        if disturbed is None:
            money.books_are_one(self.world)
