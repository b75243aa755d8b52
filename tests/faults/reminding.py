"""Three invoices that are four days overdue, and the run that texts their tenants."""

from collections import Counter
from contextlib import suppress
from datetime import date, timedelta

from sqlalchemy import Engine

from leaseup_dagster.reminders.keys import Kind, LateInvoices, ReminderDay, ReminderResult
from leaseup_dagster.reminders.overdue import queries, selection
from leaseup_dagster.reminders.rules.policy import ReminderPolicy
from leaseup_dagster.reminders.sending import batches, unanswered
from leaseup_dagster.reminders.sending.protocol import ReminderDelivery
from leaseup_dagster.sandbox.builders import a_landlord, a_lease, a_tenant, a_unit, an_invoice
from leaseup_dagster.settings import ReminderSettings
from tests.faults.recovery import Abandoned, Heal, step
from tests.faults.world import NOON, World, another_request

DUE, FIRST_DAY = date(2026, 11, 1), date(2026, 11, 5)
LATE = 3


class Late:
    """One invoice, its payment request and the number of its one tenant."""

    def __init__(self, world: World, landlord: str, number: int) -> None:
        customer = world.paystack.add_customer(f"late{number}@example.com")
        self.request = another_request(world, customer)
        self.number = f"+2782{number:07}"
        tenant = a_tenant(world.connection, landlord, phone=self.number)
        lease = a_lease(
            world.connection, start=date(2026, 1, 1), landlord=landlord, tenants=[tenant],
            unit=a_unit(world.connection, landlord),
        )  # fmt: skip
        self.invoice = an_invoice(
            world.connection, lease, DUE, status="PENDING", dueAmount=1.0,
            paystackId=self.request.request_code,
        )  # fmt: skip


class Reminding:
    """A scene. `victim` is the invoice to which it happens when it happens to one."""

    def __init__(self, world: World, late: int = LATE) -> None:
        self.world, self.day = world, FIRST_DAY
        self.timeout_seconds = 5.0
        self.send_window_seconds = 10.0
        self.results: list[ReminderResult] = []
        self.silent: set[str] = set()
        """Numbers whose text may have been lost: at most one each, perhaps none."""
        if late:
            landlord = a_landlord(world.connection)
            self.late = [Late(world, landlord, number) for number in range(1, late + 1)]
            self.victim = self.late[1]

    @classmethod
    def of(cls, world: World) -> "Reminding":
        """On invoices that are there."""
        return cls(world, late=0)

    @property
    def only_the_victim(self) -> str:
        return self.victim.number[1:]

    def run(self, as_of: date, heal: Heal | None) -> None:
        with self.world.engine() as engine:
            self.run_on(engine, as_of, heal)

    def run_beside(self, run_id: str = "") -> None:
        """A run for itself, at the same time as another, or as itself a second time."""
        with self.world.another_engine() as engine:
            self.run_on(engine, self.day, lambda: None, run_id)

    def run_on(self, engine: Engine, as_of: date, heal: Heal | None, run_id: str = "") -> None:
        sender = self.world.sender()
        sender._http.timeout = (1, self.timeout_seconds)
        with self.world.client(engine, self.timeout_seconds) as client:
            delivery = ReminderDelivery(
                engine, client, sender, ReminderSettings(), lambda: NOON, self.send_window_seconds
            )
            remind = Remind(delivery, as_of, run_id or f"run-{next(self.world.runs)}")
            self.results = remind.results
            with suppress(Abandoned):
                remind.go(heal)
        sender.close()

    def texts(self) -> Counter[str]:
        return Counter(message.to for message in self.world.twilio.messages)

    def states(self) -> dict[str, str]:
        rows = self.world.rows("SELECT invoice_id, state FROM leaseup_dagster.reminder_ledger")
        return {str(invoice): str(state) for invoice, state in rows}

    def check_nothing_twice(self) -> None:
        """I3, at Twilio's side: one text for this step of the schedule."""
        assert set(self.texts().values()) <= {0, 1}, self.texts()

    def check_others_are_texted(self) -> None:
        """I4: whom nothing happened to was texted by the run in which it happened to one."""
        assert self.texts().total() >= LATE - 1, self.texts()

    def check_explained(self) -> None:
        """I5: who was not texted is explained by what the run reports."""
        explained = {result.invoice_id for result in self.results}
        texted = {one.invoice for one in self.late if self.texts()[one.number]}
        assert explained | texted == {one.invoice for one in self.late}
        assert all(result.why or result.kind is not Kind.UNKNOWN for result in self.results)

    def check(self) -> None:
        """Everyone was texted, but for those whose text may have been lost; and in the next step
        of the schedule everyone is, once more. Nothing is left under way."""
        self.check_nothing_twice()
        everyone = {one.number for one in self.late}
        assert set(self.texts()) | self.silent == everyone, (
            self.texts(),
            self.silent,
            self.states(),
        )
        assert set(self.states().values()) <= {"sent", "unknown"}, self.states()
        before = self.texts()
        self.world.time_passes(days=7)
        self.run(self.day + timedelta(days=8), lambda: None)
        assert self.texts() == before + Counter(everyone), (before, self.texts(), self.results)


class Remind:
    """One run of send_late_payment_reminders without Dagster: the same packages, the same order."""

    def __init__(self, delivery: ReminderDelivery, as_of: date, run_id: str) -> None:
        self.results: list[ReminderResult] = []
        self._delivery, self._as_of, self._run_id = delivery, as_of, run_id
        self._found: LateInvoices | None = None

    def go(self, heal: Heal | None) -> None:
        for act in (self._mark_overdue, self._look_up, self._find, self._remind):
            step(act, heal)

    def _mark_overdue(self) -> bool:
        with self._delivery.engine.begin() as connection:
            queries.mark_overdue(connection, self._as_of)
        return False

    def _look_up(self) -> bool:
        unanswered.resolve_unanswered(self._delivery, 60)
        return False

    def _find(self) -> bool:
        policy = ReminderPolicy.of(self._delivery.rules)
        with self._delivery.engine.begin() as connection:
            self._found = selection.find(connection, policy, self._as_of)
        return False

    def _remind(self) -> bool:
        assert self._found is not None
        day, again = ReminderDay(self._as_of, 0, False), False
        for batch in batches.cut(self._found, day, 10):
            results = batches.remind(
                batch, self._delivery, run_id=self._run_id, width=10, seconds=60
            )
            self.results += results
            again = again or any(result.kind.worth_another_try for result in results)
        return again
