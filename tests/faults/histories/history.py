"""A random history over months: runs, faults, crashes, payments, edits and wrong clocks.

Every event adds a line to its diary. After every event nothing may have happened twice; after a
healthy run nothing may be missing. `explore` generates many histories.
"""

from datetime import date, timedelta
from typing import Any

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from sqlalchemy import text

from leaseup_dagster.sandbox.builders import (
    a_landlord,
    a_lease,
    a_recurring_billable,
    a_tenant,
    a_unit,
    number_from,
)
from tests.faults import money, promises
from tests.faults.histories.explore import Tally
from tests.faults.histories.landlords import LandlordRules
from tests.faults.histories.leases import LeaseRules, check_one_bill_per_unit_and_month
from tests.faults.histories.leaseup import LeaseUpRules
from tests.faults.histories.run_faults import (
    EDITS,
    INVOICING_FAULTS,
    REMINDER_FAULTS,
    STARTS,
    ArmFault,
    names,
)
from tests.faults.recovery import Heal
from tests.faults.scenarios.invoices import InvoiceScenario
from tests.faults.scenarios.reminders import ReminderScenario
from tests.faults.world import World

LEASES = 3
DAYS = st.sampled_from([0, 0, 1, 1, 2, 5, 8, 14, 30, 65])
_CORRECTED = text(
    'UPDATE tenant SET "lastName" = "lastName" || \'s\' WHERE "paystackCustomerId" IS NULL'
    " AND id IN (SELECT tenant_id FROM leaseup_dagster.customer_refusal)"
)


class History(LeaseUpRules, LeaseRules, LandlordRules, RuleBasedStateMachine):
    """One history. `explore` sets `world` and `tally`."""

    world: World
    tally: Tally

    @initialize(starts=st.tuples(*[st.sampled_from(STARTS)] * LEASES), today=st.dates(
        date(2026, 1, 20), date(2026, 3, 10)))  # fmt: skip
    def begin(self, starts: tuple[date, ...], today: date) -> None:
        """An empty world with one landlord and three leases."""
        self.tally.histories += 1
        number_from(1000)  # the same ids, and so the same order, in every repetition
        self._context = self.world.fresh()
        self._context.__enter__()
        self.today = today
        self.landlord = a_landlord(self.world.connection)
        self.begin_landlord_emails()
        self.leases = [self._a_lease(start) for start in starts]
        self.texts = promises.Texts(self.world)
        self.messages: list[dict[str, Any]] = []
        self.gone: set[str] = set()
        self.edited = 0
        self.lost: set[str] = set()
        self.record(f"{LEASES} leases that started on {', '.join(map(str, starts))}")

    def _a_lease(self, start: date) -> str:
        tenant = a_tenant(self.world.connection, self.landlord)
        unit = a_unit(self.world.connection, self.landlord)
        lease = a_lease(
            self.world.connection, start=start, landlord=self.landlord, tenants=[tenant], unit=unit
        )
        a_recurring_billable(self.world.connection, lease, tenant, startDate=start)
        return lease

    def record(self, event: str) -> None:
        """Add a line to the diary."""
        note(f"{self.today}: {event}")

    @rule(days=DAYS)
    def the_morning_run(self, days: int) -> None:
        """An invoicing run without faults."""
        self._days_pass(days)
        self.record("the morning run, in a healthy world")
        self._bill(None)

    @rule(days=DAYS)
    def the_reminders(self, days: int) -> None:
        """A reminder run without faults."""
        self._days_pass(days)
        self.record("the reminders, in a healthy world")
        self._remind(None)

    @rule(days=DAYS, what=st.sampled_from(names(INVOICING_FAULTS)), ends=st.booleans())
    def a_disturbed_morning_run(self, days: int, what: str, ends: bool) -> None:
        """An invoicing run with a fault. If `ends`, its failure is not retried."""
        self._days_pass(days)
        self.record(f"a morning run: {what}; {'it ends there' if ends else 'tried again'}")
        self._arm(what, INVOICING_FAULTS)
        self._bill(what, ends=ends)

    @rule(days=DAYS, what=st.sampled_from(names(REMINDER_FAULTS)), ends=st.booleans())
    def disturbed_reminders(self, days: int, what: str, ends: bool) -> None:
        """A reminder run with a fault. If `ends`, its failure is not retried."""
        self._days_pass(days)
        self.record(f"the reminders: {what}; {'they end there' if ends else 'tried again'}")
        self._arm(what, REMINDER_FAULTS)
        self._remind(what, ends=ends)

    @rule(minutes=st.sampled_from([1, 3, 10]))
    def minutes_pass(self, minutes: int) -> None:
        """Claims of an earlier run may expire or settle."""
        self.record(f"{minutes} minute{'s pass' if minutes > 1 else ' passes'}")
        self.world.time_passes(minutes=minutes)

    @rule()
    def the_clock_is_set_back(self) -> None:
        """The next runs work for an earlier day."""
        self.record("the clock is set back by a day")
        self.tally.events["clock steps"] += 1
        self.today -= timedelta(days=1)

    def _days_pass(self, days: int) -> None:
        if days:
            self.record(f"{days} day{'s pass' if days > 1 else ' passes'}")
            self.tally.events["days"] += days
            self.today += timedelta(days=days)
            self.world.time_passes(days=days)

    @rule(which=st.integers(0, 20), archived=st.booleans())
    def the_landlord_cancels_an_invoice(self, which: int, archived: bool) -> None:
        """In LeaseUp, and perhaps at Paystack."""
        invoice = self._an_open_invoice(which)
        if invoice:
            self.record(f"{invoice[1]} is cancelled{', archived at Paystack' if archived else ''}")
            self.tally.events["cancellations"] += 1
            self._set_status(invoice[0], "CANCELLED")
            if archived:
                self.world.paystack.archive(str(invoice[1]))

    @rule(lease=st.integers(0, LEASES - 1), edit=st.sampled_from(EDITS))
    def a_lease_is_edited(self, lease: int, edit: tuple[str, object]) -> None:
        """One of EDITS."""
        column, value = edit
        if column == "endDate" and isinstance(value, int):
            value = self.today + timedelta(days=value)
        self.record(f"{column} of {self.leases[lease]} becomes {value}")
        self.tally.events["edits"] += 1
        status = 'CAST(:value AS "LeaseStatus")' if column == "status" else ":value"
        change = text(f'UPDATE lease SET "{column}" = {status} WHERE id = :id')
        self.world.connection.execute(change, {"value": value, "id": self.leases[lease]})

    @rule(hours=st.sampled_from([1, 30, 400]))
    def a_backup_of_the_books_is_restored(self, hours: int) -> None:
        """Newer rows of the invoice ledger are lost, with their invoices and payments."""
        span = f"{hours} hours" if hours > 1 else "hour"
        self.record(f"what was billed in the last {span} is lost")
        self.tally.events["backups restored"] += 1
        newer = "attempted_at > now() - make_interval(hours => :hours)"
        ledger = "leaseup_dagster.invoice_ledger"
        lost = self.world.rows(f"SELECT reference FROM {ledger} WHERE {newer}", hours=hours)
        self.lost |= {str(reference) for (reference,) in lost}
        invoices = f"(SELECT invoice_id FROM {ledger} WHERE {newer})"
        for statement in (
            f'DELETE FROM transaction WHERE "invoiceId" IN {invoices}',
            f"DELETE FROM invoice WHERE id IN {invoices}",
            f"DELETE FROM {ledger} WHERE {newer}",
        ):
            self.world.connection.execute(text(statement), {"hours": hours})
        # Once adopted, these invoices have new ids, so their tenants may be texted once more.
        known = {str(code) for (code,) in self.world.rows('SELECT "paystackId" FROM invoice')}
        self.texts.sent = {k: days for k, days in self.texts.sent.items() if k[0] in known}

    def teardown(self) -> None:
        """Every history ends with healthy runs, after which nothing is missing."""
        if not hasattr(self, "_context"):
            return
        try:
            self.world.time_passes(minutes=10)
            self._bill(None)
            self._remind(None)
            self._messages_arrive()
            self._reconcile(None)
            self.today += timedelta(days=90)  # a day on which no landlord was notified yet
            self._notify_landlords("healthy")
        finally:
            self.tally.requests += len(self.world.paystack.payment_requests)
            self.tally.texts += len(self.world.twilio.messages)
            self._context.__exit__(None, None, None)

    def _arm(self, what: str, known: dict[str, tuple[ArmFault, int]]) -> None:
        self.tally.faults[what] += 1
        known[what][0](self.world)

    def _bill(self, fault: str | None, *, ends: bool = False) -> None:
        self.tally.events["morning runs"] += 1
        invoicing = InvoiceScenario.of(self.world)
        invoicing.width = 1  # one after the other, so that a history can be repeated
        invoicing.timeout_seconds = 0.4 if fault and "silence" in fault else 5
        invoicing.run(self.today, self._heal(fault, ends))
        self.world.heal()
        # An operator reads the report and corrects the data of refused tenants.
        self.world.connection.execute(_CORRECTED)
        self._check_safety()
        if fault is None:
            promises.check_every_month_is_billed(self.world, self.today)
            promises.check_ledger_agrees(self.world, self.lost, self.gone)
            check_one_bill_per_unit_and_month(self.world)

    def _remind(self, fault: str | None, *, ends: bool = False) -> None:
        self.tally.events["reminder runs"] += 1
        if fault is None:
            self.world.time_passes(minutes=3)
        settled = self.texts.settled_codes()
        before = money.recorded(self.world)
        ReminderScenario.of(self.world).run(self.today, self._heal(fault, ends))
        self.world.heal()
        money.check_we_recorded_no_excess(self.world, before)
        self.texts.check_new(settled, self.today)
        if fault is None:
            self.texts.check_all_overdue_were_texted(self.today)

    def _heal(self, fault: str | None, ends: bool) -> Heal | None:
        if fault is None:
            return lambda: None
        return None if ends else self.world.heal

    def _check_safety(self) -> None:
        promises.check_nothing_twice(self.world)

    def _an_open_invoice(self, which: int) -> tuple[Any, ...] | None:
        rows = self.world.rows(
            'SELECT id, "paystackId", "dueAmount" FROM invoice'
            " WHERE status IN ('PENDING', 'OVERDUE', 'PARTIALLY_PAID')"
            ' ORDER BY "dueDate", "leaseId"'
        )
        return rows[which % len(rows)] if rows else None

    def _set_status(self, invoice: str, status: str) -> None:
        change = text('UPDATE invoice SET status = CAST(:status AS "InvoiceStatus") WHERE id = :id')
        self.world.connection.execute(change, {"status": status, "id": invoice})
