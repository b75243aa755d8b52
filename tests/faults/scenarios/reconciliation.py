"""The reconciliation without Dagster: the same calls in the same order."""

from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy import Engine

from leaseup_dagster.as_of import johannesburg_date
from leaseup_dagster.invoicing.payments import questions
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.reconciliation import windows
from leaseup_dagster.reconciliation.repairs import Finding, Kind, Repairs
from leaseup_dagster.retries import waiting_at_most
from leaseup_dagster.settings import TaskSettings
from tests.faults.recovery import Abandoned, Heal, run_op
from tests.faults.world import World


class ReconciliationScenario:
    """`findings` are those of the last run."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.findings: list[Finding] = []

    def run(self, heal: Heal | None) -> None:
        """One run. Without `heal` it ends at its first failure."""
        with (
            self.world.engine() as engine,
            self.world.client(engine) as client,
            waiting_at_most(0),
        ):
            run = ReconciliationRun(engine, client)
            with suppress(Abandoned):
                run.execute(heal)
            self.findings = run.findings


class ReconciliationRun:
    """A run of reconcile_payment_requests."""

    def __init__(self, engine: Engine, client: PaystackClient) -> None:
        # With a larger batch the order of its rows would not be repeatable.
        self._repairs = Repairs(engine, client, TaskSettings(batch_size=1))
        self.findings: list[Finding] = []

    def execute(self, heal: Heal | None) -> None:
        """Run all ops. Raises Abandoned when one fails and `heal` is None."""
        run_op(self._reconcile, heal)
        run_op(self._ask_again, heal)
        run_op(self._mark_reported, heal)

    def _reconcile(self) -> bool:
        # The stand-in uses the real clock.
        today = johannesburg_date(datetime.now().astimezone())
        (window,) = windows.cut(today - timedelta(days=1), today)
        report = windows.reconcile(window, self._repairs, 60)
        self.findings += report.findings
        return bool(report.failed) or any(f.kind is Kind.FAILED for f in report.findings)

    def _ask_again(self) -> bool:
        reported = {finding.request_code for finding in self.findings}
        with self._repairs.engine.connect() as connection:
            waiting = [w for w in questions.waiting(connection) if w[1] not in reported]
        report = windows.ask_again(waiting, self._repairs, 60)
        self.findings += report.findings
        return any(f.kind is Kind.FAILED for f in report.findings)

    def _mark_reported(self) -> bool:
        asked_about = [f.request_code for f in self.findings if f.kind is Kind.UNDECIDED]
        with self._repairs.engine.begin() as connection:
            questions.mark_reported(connection, asked_about)
        return False
