"""Three leases whose rent falls due on 1 December, and the run that bills them."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import date

from sqlalchemy import Engine

from leaseup_dagster.batching import Place
from leaseup_dagster.customers import missing
from leaseup_dagster.customers.registration import Registration
from leaseup_dagster.invoicing.creation import batches, orphans
from leaseup_dagster.invoicing.creation.protocol import InvoiceCreation, Outcome
from leaseup_dagster.invoicing.keys import Compared, InvoiceBatch, LedgerKey
from leaseup_dagster.invoicing.ledger import queries
from leaseup_dagster.invoicing.planning import planner
from leaseup_dagster.sandbox.builders import a_landlord, a_lease, a_tenant, a_unit
from leaseup_dagster.sandbox.paystack_books import StoredPaymentRequest
from leaseup_dagster.settings import TaskSettings
from tests.faults.recovery import Abandoned, Heal, Scenario, run_op
from tests.faults.world import World

TODAY, DUE = date(2026, 11, 24), date(2026, 12, 1)
LEASES, SETTLE_SECONDS = 3, 120


class InvoiceScenario(Scenario):
    """`victim` is the month that fails when only one does."""

    def __init__(self, world: World, leases: int = LEASES) -> None:
        super().__init__(world, TODAY)
        self.send_window_seconds = 10.0
        self.width = 10
        self.outcomes: list[Outcome] = []
        self.months: list[LedgerKey] = []
        if leases:
            self._lay_out(world, leases)

    @classmethod
    def of(cls, world: World) -> "InvoiceScenario":
        """With the leases that the world already has."""
        return cls(world, leases=0)

    def _lay_out(self, world: World, leases: int) -> None:
        landlord = a_landlord(world.connection)
        unit = a_unit(world.connection, landlord)
        for number in range(leases):
            code = world.paystack.add_customer(f"tenant{number}@example.com").customer_code
            tenant = a_tenant(world.connection, landlord, paystackCustomerId=code)
            lease = a_lease(
                world.connection, start=date(2026, 1, 1), landlord=landlord, unit=unit,
                tenants=[tenant],
            )  # fmt: skip
            self.months.append(LedgerKey(DUE, lease))
        self.victim = self.months[1]

    @property
    def victim_marker(self) -> str:
        """Text that only the victim's requests contain."""
        return f'"lease_id":"{self.victim.lease_id}"'

    def run_on(self, engine: Engine, as_of: date, heal: Heal | None) -> None:
        """One run; `outcomes` are those of its invoices."""
        with self.world.client(engine, self.timeout_seconds) as client:
            creation = InvoiceCreation(
                engine, client, SETTLE_SECONDS, False, self.send_window_seconds
            )
            run = InvoicingRun(creation, as_of, TaskSettings(batch_size=self.width))
            self.outcomes = run.outcomes
            with suppress(Abandoned):
                run.execute(heal, lambda: self.world.time_passes(minutes=10))

    def restore_a_backup(self) -> None:
        """To before the first run: invoices and ledger are gone, the payment requests are not."""
        self.world.rows("DELETE FROM invoice RETURNING id")
        self.world.rows("DELETE FROM leaseup_dagster.invoice_ledger RETURNING lease_id")

    def requests(self, month: LedgerKey) -> list[StoredPaymentRequest]:
        """Every payment request that was ever created for `month`."""
        return [
            request
            for request in self.world.paystack.payment_requests
            if (request.metadata or {})["lease_id"] == month.lease_id
        ]

    def states(self) -> dict[str, str]:
        """The ledger's state of each lease."""
        rows = self.world.rows("SELECT lease_id, state FROM leaseup_dagster.invoice_ledger")
        return {str(lease): str(state) for lease, state in rows}

    def check_nothing_twice(self) -> None:
        """I1, at Paystack and in LeaseUp, at any moment."""
        made = Counter({month: len(self.requests(month)) for month in self.months})
        rows = Counter(self.world.rows('SELECT "leaseId" FROM invoice'))
        codes = Counter(self.world.rows('SELECT "paystackId" FROM invoice'))
        for counted in (made, rows, codes):
            assert set(counted.values()) <= {0, 1}, f"twice: {counted}"

    def check_others_are_billed(self) -> None:
        """I4: the other leases were billed by the run in which one failed."""
        states = Counter(self.states().values())
        assert states["invoiced"] >= LEASES - 1, states

    def check_explained(self) -> None:
        """I5: the ledger or the run's report gives a reason for each lease that is not billed."""
        explained = {outcome.key.lease_id for outcome in self.outcomes if outcome.why}
        rows = self.world.rows("SELECT lease_id, state, error FROM leaseup_dagster.invoice_ledger")
        unexplained = [
            row for row in rows if row[1] != "invoiced" and not row[2] and row[0] not in explained
        ]
        assert unexplained == []

    def check(self) -> None:
        """I1, I2 and I5: one payment request, one invoice that names it, and the ledger agrees."""
        self.check_nothing_twice()
        invoiced = self.world.rows(
            'SELECT invoice."leaseId", invoice."dueDate", invoice."paystackId",'
            ' invoice.status::text, round(invoice."dueAmount" * 100)::bigint'
            " FROM invoice JOIN leaseup_dagster.invoice_ledger AS ledger"
            ' ON ledger.lease_id = invoice."leaseId" AND ledger.invoice_id = invoice.id'
            " AND ledger.request_code = invoice.\"paystackId\" WHERE state = 'invoiced'"
        )
        at_paystack = [
            ((request.metadata or {})["lease_id"], DUE, request.request_code, "PENDING",
             request.amount)
            for month in self.months
            for request in self.requests(month)
        ]  # fmt: skip
        assert sorted(map(str, invoiced)) == sorted(map(str, map(tuple, at_paystack)))
        assert {row[0] for row in invoiced} == {month.lease_id for month in self.months}


class InvoicingRun:
    """A run of check_upcoming_invoices without Dagster: the same calls in the same order."""

    def __init__(self, creation: InvoiceCreation, as_of: date, tasks: TaskSettings) -> None:
        self.outcomes: list[Outcome] = []
        self._creation, self._as_of = creation, as_of
        self._engine, self._client = creation.engine, creation.paystack
        self._tasks = tasks
        self._keys: list[LedgerKey] = []
        self._compared = Compared()
        self._is_retry = False

    def execute(self, heal: Heal | None, before_the_end: Callable[[], None]) -> None:
        """Run all ops. Raises Abandoned when one fails and `heal` is None."""
        run_op(self._plan, heal)
        run_op(self._customers, heal)
        run_op(self._compare, heal)
        run_op(self._select, heal)
        run_op(self._bill, heal)
        if heal:
            before_the_end()
        run_op(self._settle, heal)

    def _plan(self) -> bool:
        with planner.planned(self._engine, self._as_of, self._tasks):
            return False

    def _customers(self) -> bool:
        with self._engine.connect() as connection:
            tenants = missing.tenants_of_planned_invoices(connection)
        Registration(self._engine, self._client).register_all(tenants, width=10, seconds=60)
        return False

    def _compare(self) -> bool:
        compared = orphans.compare(self._engine, self._client, self._tasks, 60)
        self._compared = compared
        return compared.retry

    def _select(self) -> bool:
        with self._engine.connect() as connection:
            self._keys = queries.open_keys(connection, 100)
        return False

    def _bill(self) -> bool:
        if self._is_retry:
            self._compare()
        self._is_retry = True
        place = Place(1, 1, before=0, total=len(self._keys))
        batch = InvoiceBatch(self._as_of, place, tuple(self._keys), self._compared)
        outcomes = batches.bill(batch, self._creation, self._tasks, 60)
        with self._engine.connect() as connection:
            queries.results(connection, batch.keys)
        self.outcomes += outcomes
        return any(outcome.kind.worth_another_try for outcome in outcomes)

    def _settle(self) -> bool:
        self.outcomes += batches.settle(self._creation, self._as_of, self._tasks, 5)
        return False
