"""The steps of reconciliation, as Dagster sees them: what they are handed, say and pass on."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import dagster as dg
from pydantic import Field, field_validator
from sqlalchemy import Engine

from leaseup_dagster.as_of import resolve_as_of
from leaseup_dagster.database.rehearsal import require
from leaseup_dagster.invoicing import rehearsal
from leaseup_dagster.invoicing.creation.orphans import BILLED_EARLY_AND_LATE
from leaseup_dagster.invoicing.payments import questions
from leaseup_dagster.reconciliation import checks, report, windows
from leaseup_dagster.reconciliation.repairs import Kind, Repairs
from leaseup_dagster.reconciliation.windows import Window, WindowReport
from leaseup_dagster.retries import SERVICE_UNREACHABLE
from leaseup_dagster.run_config import DayConfig, checked_date
from leaseup_dagster.settings import TaskSettings
from leaseup_dagster.stopping import seconds_left
from leaseup_dagster.tables import Section, page_and_tables

OPEN_FOR_LONG = timedelta(days=45)
"""How long after its due date an invoice is asked about by itself: the nights list its payment
request no more, or soon will not."""

A_FEW = 100
"""Invoices that have been open for long and are asked about in one night."""


class ReconcileConfig(DayConfig):
    """Which of Paystack's payment requests are examined: those made on these days."""

    since: str = Field(
        "",
        description="YYYY-MM-DD, the first day; empty: TASK_CHECK_DAYS_AHEAD + 45 days before"
        " `as_of`, so that what was billed early is still examined when it is paid late.",
    )

    @field_validator("since")
    @classmethod
    def _is_a_day(cls, value: str) -> str:
        return checked_date(value, "since")

    def first_day(self, tasks: TaskSettings) -> date:
        """`since`, or so long ago that a month billed early and paid late is in it."""
        if self.since:
            return min(date.fromisoformat(self.since), self.day())
        return self.day() - timedelta(days=tasks.check_days_ahead) - BILLED_EARLY_AND_LATE


@dg.op(
    out=dg.DynamicOut(Window),
    retry_policy=SERVICE_UNREACHABLE,
    description="Cuts the days to compare into windows of a week, newest first. Asks nobody.",
)
def cut_into_weeks(
    context: dg.OpExecutionContext,
    config: ReconcileConfig,
    repairs: dg.ResourceParam[Repairs],
    tasks: dg.ResourceParam[TaskSettings],
) -> Iterator[dg.DynamicOutput[Window]]:
    since, until = config.first_day(tasks), config.day()
    context.log.info(f"Starting reconciliation of payment requests since={since} until={until}")
    require(repairs.engine, rehearsal.invoiced(until), rehearsal.paid(until))
    for number, window in enumerate(windows.cut(since, until), 1):
        yield dg.DynamicOutput(window, mapping_key=f"week_{number:03}")


@dg.op(
    retry_policy=SERVICE_UNREACHABLE,
    description="Compares the payment requests made in a week with the ledger and LeaseUp, and"
    " repairs what differs: adopts, marks paid, archives unpaid duplicates. Only what carries our"
    " reference is touched.",
)
def reconcile_week(
    context: dg.OpExecutionContext,
    window: Window,
    repairs: dg.ResourceParam[Repairs],
) -> WindowReport:
    done = windows.reconcile(window, repairs, seconds_left(context, repairs.tasks.taking_seconds))
    fine = [f for f in done.findings if f.kind not in report.FAILS_THE_RUN]
    wrong = [f for f in done.findings if f.kind in report.FAILS_THE_RUN]
    # One event for all: each costs Dagster's storage as much as a request costs Paystack.
    if fine:
        context.log.info("\n".join(map(report.line, fine)))
    if wrong:
        context.log.warning("\n".join(map(report.line, wrong)))
    context.add_output_metadata({"listed": done.listed, "ours": done.ours})
    return done


@dg.op(
    retry_policy=SERVICE_UNREACHABLE,
    description="Asks Paystack about single payment requests: those that a person was to decide"
    " about and the windows did not name, and a few of invoices that have been open for long.",
)
def ask_again(
    context: dg.OpExecutionContext,
    reports: list[WindowReport],
    repairs: dg.ResourceParam[Repairs],
) -> WindowReport:
    named = {finding.request_code for window in reports for finding in window.findings}
    seconds = seconds_left(context, repairs.tasks.taking_seconds)
    today = resolve_as_of("")
    with repairs.engine.connect() as connection:
        waiting = [w for w in questions.waiting(connection) if w[1] not in named]
        for_long = questions.open_for_long(connection, today - OPEN_FOR_LONG, A_FEW)
    done = windows.ask_again([*waiting, *for_long], repairs, seconds)
    with repairs.engine.begin() as connection:
        questions.remember_asked(connection, [invoice for invoice, _ in for_long])
    return done


@dg.op(
    description="Says what was adopted, archived and marked paid, and what a person must decide."
    " Fails the run if a difference remains.",
)
def report_reconciliation(
    context: dg.OpExecutionContext,
    reports: list[WindowReport],
    again: WindowReport,
    engine: dg.ResourceParam[Engine],
) -> Iterator[dg.AssetMaterialization | dg.AssetCheckEvaluation | dg.Output[None]]:
    done = report.total([*reports, again])
    metadata = _metadata(done)
    context.log.info(report.summary(done))
    # Yielded, not logged: an event that an op logs is lost when the op raises.
    yield dg.AssetMaterialization("payment_requests", metadata=metadata)
    with engine.begin() as connection:
        yield checks.every_payment_decided(connection).evaluation()
        # From here on the check says it, and the run fails for it no more.
        reported = [f.request_code for f in done.findings if f.kind is Kind.UNDECIDED]
        questions.mark_reported(connection, reported)
    remains = report.in_words(done)
    if remains:
        raise dg.Failure(remains, metadata=metadata, allow_retries=False)
    yield dg.Output(None, metadata=metadata)


def _metadata(done: WindowReport) -> dict[str, Any]:
    failed_days = [(day.isoformat(), why) for day, why in done.failed]
    sections: dict[str, Section] = {
        "for a person": (report.COLUMNS, report.rows(done.findings, report.FOR_A_PERSON)),
        "days not compared": (report.FAILED_DAY_COLUMNS, failed_days),
        "amounts that differ": (report.COLUMNS, report.rows(done.findings, [Kind.AMOUNT])),
        "repaired": (report.COLUMNS, report.rows(done.findings, report.DONE)),
    }
    return {
        **page_and_tables(report.summary(done), sections),
        **report.counts(done.findings),
        "days compared": done.days,
        "days left": len(done.left),
        "payment requests": done.listed,
        "payment requests of ours": done.ours,
    }
