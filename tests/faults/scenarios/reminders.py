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
from tests.faults.recovery import Abandoned, Heal, Scenario, run_op
from tests.faults.world import NOON, World, another_request

DUE, FIRST_DAY = date(2026, 11, 1), date(2026, 11, 5)
INVOICES = 3


class OverdueInvoice:
    """One invoice, its payment request and the phone number of its tenant."""

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


class ReminderScenario(Scenario):
    """`victim` is the invoice whose text fails when only one does."""

    def __init__(self, world: World, overdue: int = INVOICES) -> None:
        super().__init__(world, FIRST_DAY)
        self.send_window_seconds = 10.0
        self.results: list[ReminderResult] = []
        self.maybe_lost: set[str] = set()
        """Numbers whose text may have been lost: each got one text or none."""
        if overdue:
            landlord = a_landlord(world.connection)
            self.overdue = [
                OverdueInvoice(world, landlord, number) for number in range(1, overdue + 1)
            ]
            self.victim = self.overdue[1]

    @classmethod
    def of(cls, world: World) -> "ReminderScenario":
        """With the invoices that the world already has."""
        return cls(world, overdue=0)

    @property
    def victim_marker(self) -> str:
        """Text that only the victim's requests contain."""
        return self.victim.number[1:]

    def run_concurrently(self, run_id: str = "") -> None:
        """One run with connections of its own. With a `run_id`, Dagster runs it a second time."""
        with self.world.separate_engine() as engine:
            self.run_on(engine, self.day, lambda: None, run_id)

    def run_on(self, engine: Engine, as_of: date, heal: Heal | None, run_id: str = "") -> None:
        """One run; `results` are those of its invoices."""
        sender = self.world.sender()
        sender._http.timeout = (1, self.timeout_seconds)
        with self.world.client(engine, self.timeout_seconds) as client:
            delivery = ReminderDelivery(
                engine,
                client,
                sender,
                ReminderSettings(),
                lambda: NOON,
                send_window_seconds=self.send_window_seconds,
            )
            run = RemindersRun(delivery, as_of, run_id or f"run-{next(self.world.runs)}")
            self.results = run.results
            with suppress(Abandoned):
                run.execute(heal)
        sender.close()

    def texts(self) -> Counter[str]:
        """How many texts each number got."""
        return Counter(message.to for message in self.world.twilio.messages)

    def states(self) -> dict[str, str]:
        """The ledger's state of each invoice."""
        rows = self.world.rows("SELECT invoice_id, state FROM leaseup_dagster.reminder_ledger")
        return {str(invoice): str(state) for invoice, state in rows}

    def check_nothing_twice(self) -> None:
        """I3, at Twilio: at most one text to each number for this step of the policy."""
        assert set(self.texts().values()) <= {0, 1}, self.texts()

    def check_others_are_texted(self) -> None:
        """I4: the other tenants were texted by the run in which one text failed."""
        assert self.texts().total() >= INVOICES - 1, self.texts()

    def check_explained(self) -> None:
        """I5: the run reports a result for each invoice without a text."""
        explained = {result.invoice_id for result in self.results}
        texted = {one.invoice for one in self.overdue if self.texts()[one.number]}
        assert explained | texted == {one.invoice for one in self.overdue}
        assert all(result.why or result.kind is not Kind.UNKNOWN for result in self.results)

    def check(self) -> None:
        """Every tenant was texted, except those whose text may have been lost. The next step of
        the policy texts everyone once more. No row is left in the state `sending`."""
        self.check_nothing_twice()
        everyone = {one.number for one in self.overdue}
        assert set(self.texts()) | self.maybe_lost == everyone, (
            self.texts(),
            self.maybe_lost,
            self.states(),
        )
        assert set(self.states().values()) <= {"sent", "unknown"}, self.states()
        before = self.texts()
        self.world.time_passes(days=7)
        self.run(self.day + timedelta(days=8), lambda: None)
        assert self.texts() == before + Counter(everyone), (before, self.texts(), self.results)


class RemindersRun:
    """A run of send_late_payment_reminders without Dagster: the same calls in the same order."""

    def __init__(self, delivery: ReminderDelivery, as_of: date, run_id: str) -> None:
        self.results: list[ReminderResult] = []
        self._delivery, self._as_of, self._run_id = delivery, as_of, run_id
        self._found: LateInvoices | None = None

    def execute(self, heal: Heal | None) -> None:
        """Run all ops. Raises Abandoned when one fails and `heal` is None."""
        for act in (self._mark_overdue, self._resolve_unanswered, self._find, self._remind):
            run_op(act, heal)

    def _mark_overdue(self) -> bool:
        with self._delivery.engine.begin() as connection:
            queries.mark_overdue(connection, self._as_of)
        return False

    def _resolve_unanswered(self) -> bool:
        unanswered.resolve_unanswered(self._delivery, 60)
        return False

    def _find(self) -> bool:
        policy = ReminderPolicy.of(self._delivery.rules)
        with self._delivery.engine.begin() as connection:
            self._found = selection.find(connection, policy, self._as_of)
        return False

    def _remind(self) -> bool:
        assert self._found is not None
        day, retry = ReminderDay(self._as_of, 0, False), False
        for batch in batches.cut(self._found, day, 10):
            results = batches.remind(
                batch, self._delivery, run_id=self._run_id, width=10, seconds=60
            )
            self.results += results
            retry = retry or any(result.kind.worth_another_try for result in results)
        return retry
