"""The night's run without Dagster: the same packages in the same order."""

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
from tests.faults.recovery import Abandoned, Heal, step
from tests.faults.world import World


class Nights:
    """`findings` are those of the last run."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.findings: list[Finding] = []

    def run(self, heal: Heal | None) -> None:
        with (
            self.world.engine() as engine,
            self.world.client(engine) as client,
            waiting_at_most(0),
        ):
            night = Night(engine, client)
            with suppress(Abandoned):
                night.go(heal)
            self.findings = night.findings


class Night:
    """One run of reconcile_payment_requests."""

    def __init__(self, engine: Engine, client: PaystackClient) -> None:
        # Wider, and the database's order would differ from telling to telling.
        self._repairs = Repairs(engine, client, TaskSettings(batch_size=1))
        self.findings: list[Finding] = []

    def go(self, heal: Heal | None) -> None:
        step(self._week, heal)
        step(self._ask_again, heal)
        step(self._log, heal)

    def _week(self) -> bool:
        # The stand-in dates what it makes by the real clock.
        today = johannesburg_date(datetime.now().astimezone())
        (week,) = windows.cut(today - timedelta(days=1), today)
        report = windows.reconcile(week, self._repairs, 60)
        self.findings += report.findings
        return bool(report.failed) or any(f.kind is Kind.FAILED for f in report.findings)

    def _ask_again(self) -> bool:
        named = {finding.request_code for finding in self.findings}
        with self._repairs.engine.connect() as connection:
            waiting = [w for w in questions.waiting(connection) if w[1] not in named]
        report = windows.ask_again(waiting, self._repairs, 60)
        self.findings += report.findings
        return any(f.kind is Kind.FAILED for f in report.findings)

    def _log(self) -> bool:
        asked_about = [f.request_code for f in self.findings if f.kind is Kind.UNDECIDED]
        with self._repairs.engine.begin() as connection:
            questions.mark_reported(connection, asked_about)
        return False
