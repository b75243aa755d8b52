"""The steps that bill and report, as Dagster sees them: what they are handed, say and pass on."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import dagster as dg
from sqlalchemy import Engine

from leaseup_dagster.customers.report import CustomerReport
from leaseup_dagster.handover import place_among_runs, share
from leaseup_dagster.invoicing.creation import batches, orphans, report
from leaseup_dagster.invoicing.creation.protocol import InvoiceCreation, Kind, Outcome
from leaseup_dagster.invoicing.keys import (
    BatchReport,
    Compared,
    InvoiceBatch,
    InvoicePlan,
    InvoiceResult,
)
from leaseup_dagster.invoicing.ledger import queries
from leaseup_dagster.invoicing.planning.report import SKIPPED_COLUMNS, skipped_rows
from leaseup_dagster.retries import SERVICE_UNREACHABLE, try_again
from leaseup_dagster.settings import TaskSettings
from leaseup_dagster.stopping import seconds_left
from leaseup_dagster.tables import Section, page_and_tables

MAX_PER_RUN = 20_000
"""More months than Paystack's quota lets one run bill; the rest wait in the ledger."""


@dg.op(
    retry_policy=SERVICE_UNREACHABLE,
    description="Asks Paystack, before anything is sent, for payment requests of ours that the"
    " ledger does not know: after a restored backup they are adopted, not made again.",
)
def compare_before_billing(
    context: dg.OpExecutionContext,
    plan: InvoicePlan,
    customers: CustomerReport,
    creation: dg.ResourceParam[InvoiceCreation],
    tasks: dg.ResourceParam[TaskSettings],
) -> Compared:
    compared = _compare(context, creation, tasks)
    context.add_output_metadata({"found at Paystack, not in the ledger": compared.remembered})
    return compared


@dg.op(
    out=dg.DynamicOut(InvoiceBatch),
    retry_policy=SERVICE_UNREACHABLE,
    description="Cuts what is to be billed into batches, also what earlier runs left open.",
)
def cut_into_batches(
    context: dg.OpExecutionContext,
    plan: InvoicePlan,
    compared: Compared,
    engine: dg.ResourceParam[Engine],
    tasks: dg.ResourceParam[TaskSettings],
) -> Iterator[dg.DynamicOutput[InvoiceBatch]]:
    with engine.connect() as connection:
        keys = queries.open_keys(connection, MAX_PER_RUN, plan.only)
    keys = share(keys, *place_among_runs(context))
    for batch in batches.cut(keys, plan.as_of, tasks.batch_size, compared):
        yield dg.DynamicOutput(batch, mapping_key=batch.place.mapping_key)


@dg.op(
    retry_policy=SERVICE_UNREACHABLE,
    description="Creates every invoice of the batch; one bad lease stops no other. Only what"
    " failed is tried again.",
)
def create_planned_invoices(
    context: dg.OpExecutionContext,
    batch: InvoiceBatch,
    engine: dg.ResourceParam[Engine],
    creation: dg.ResourceParam[InvoiceCreation],
    tasks: dg.ResourceParam[TaskSettings],
) -> BatchReport:
    batch = _compared_in_this_attempt(context, batch, creation, tasks)
    began = time.monotonic()
    outcomes = batches.bill(
        batch,
        creation,
        tasks,
        seconds_left(context, tasks.taking_seconds),
        lambda done: context.log.info(batch.place.progress(done, time.monotonic() - began)),
    )
    took = time.monotonic() - began
    with engine.connect() as connection:
        results = queries.results(connection, batch.keys)
    _log(context, outcomes, results)
    # Below the list of them: it is what a person who follows the run searches for.
    _log_progress(context, batch, outcomes, took)
    again = [outcome for outcome in outcomes if outcome.kind.worth_another_try]
    try_again(context, len(again), len(batch.keys), "invoices")
    return _batch_report(context, outcomes, results)


@dg.op(
    retry_policy=SERVICE_UNREACHABLE,
    description="Waits, if the run's time allows, for requests without an answer: searches for them"
    " at Paystack, and sends again what certainly never arrived.",
)
def settle_unanswered_invoices(
    context: dg.OpExecutionContext,
    plan: InvoicePlan,
    reports: list[BatchReport],
    engine: dg.ResourceParam[Engine],
    creation: dg.ResourceParam[InvoiceCreation],
    tasks: dg.ResourceParam[TaskSettings],
) -> BatchReport:
    only = [plan.only] if plan.only else None
    seconds = seconds_left(context, tasks.taking_seconds)
    outcomes = batches.settle(creation, plan.as_of, tasks, seconds, only)
    undecided = report.undecided(reports) | {outcome.key for outcome in outcomes}
    with engine.connect() as connection:
        results = queries.results(connection, sorted(undecided))
    _log(context, outcomes, results)
    return _batch_report(context, outcomes, results)


@dg.op(
    description="Says what was billed, what was skipped and why, and what failed. Fails the run"
    " if an invoice that is due was not created.",
)
def report_invoicing(
    context: dg.OpExecutionContext,
    plan: InvoicePlan,
    customers: CustomerReport,
    reports: list[BatchReport],
    settled: BatchReport,
    engine: dg.ResourceParam[Engine],
) -> Iterator[dg.AssetMaterialization | dg.Output[None]]:
    done = report.InvoicingReport.of([*reports, settled])
    with engine.connect() as connection:
        still_open = queries.count_open(connection)
    left = max(0, still_open - len(report.undecided_among(done.failed)))
    metadata = _metadata(plan, customers, done, left)
    context.log.info(report.summary(plan, done, left))
    if not plan.only:  # the plot is of whole mornings
        # Yielded, not logged: an event that an op logs is lost when the op raises.
        yield dg.AssetMaterialization("invoices", metadata=metadata)
    wrong = report.in_words(done) if done.failed else report.nothing_done(plan, done, left)
    if wrong:
        raise dg.Failure(wrong, metadata=metadata, allow_retries=False)
    yield dg.Output(None, metadata=metadata)


def _compare(
    context: dg.OpExecutionContext, creation: InvoiceCreation, tasks: TaskSettings
) -> Compared:
    seconds = seconds_left(context, tasks.taking_seconds)
    compared = orphans.compare(creation.engine, creation.paystack, tasks, seconds)
    if compared.retry and context.retry_number < SERVICE_UNREACHABLE.max_retries:
        raise RuntimeError(compared.hold)
    if compared.hold:
        context.log.warning(compared.hold)
    if compared.remembered:
        context.log.warning(report.remembered_line(compared))
    return replace(compared, run_id=context.run_id)


def _compared_in_this_attempt(
    context: dg.OpExecutionContext,
    batch: InvoiceBatch,
    creation: InvoiceCreation,
    tasks: TaskSettings,
) -> InvoiceBatch:
    """The batch, checked again if the database may have lost something since the last one.

    What ended an earlier attempt may have been a standby that took over, without the last seconds.
    """
    still_true = batch.compared.run_id == context.run_id and not _began_before(context)
    if still_true or seconds_left(context, tasks.taking_seconds) <= 0:
        return batch
    return replace(batch, compared=_compare(context, creation, tasks))


def _began_before(context: dg.OpExecutionContext) -> bool:
    """Whether this is not the step's first attempt: Dagster tries it again, or a broker passes it
    to another worker, which Dagster does not count."""
    if context.retry_number > 0:
        return True
    step = context.get_step_execution_context().step.key
    begun = context.instance.all_logs(context.run_id, of_type=dg.DagsterEventType.STEP_START)
    return sum(entry.step_key == step for entry in begun) > 1


def _metadata(
    plan: InvoicePlan, customers: CustomerReport, done: report.InvoicingReport, left: int
) -> dict[str, Any]:
    sections: dict[str, Section] = {
        "not created": (report.FAILED_COLUMNS, report.failed_rows(done.failed)),
        "by landlord": (report.LANDLORD_COLUMNS, report.landlord_rows(done)),
        "billed": (report.BILLED_COLUMNS, report.billed_rows(done.billed)),
        "skipped by reason": (SKIPPED_COLUMNS, skipped_rows(plan)),
    }
    return {
        **page_and_tables(
            f"{report.summary(plan, done, left)}\n\n{report.explain_hint(done)}", sections
        ),
        "as of": plan.as_of.isoformat(),
        **report.numbers(plan, done),
        **report.also(plan, done, left, customers.registered),
    }


def _log(
    context: dg.OpExecutionContext, outcomes: Sequence[Outcome], results: Sequence[InvoiceResult]
) -> None:
    """One event for all: each costs Dagster's storage as much as a request costs Paystack."""
    made = {o.key for o in outcomes if o.kind in (Kind.CREATED, Kind.ADOPTED)}
    lines = [report.created_line(result) for result in results if result.key in made]
    failed = [report.failed_line(outcome) for outcome in outcomes if outcome.why]
    if lines:
        context.log.info("\n".join(lines))
    if failed:
        context.log.warning("\n".join(failed))


def _log_progress(
    context: dg.OpExecutionContext, batch: InvoiceBatch, outcomes: Sequence[Outcome], seconds: float
) -> None:
    counts = Counter(outcome.kind.value for outcome in outcomes)
    said = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    handled = 0 if batch.compared.hold else len(batch.keys) - counts[Kind.STOPPED.value]
    progress = batch.place.progress(handled, seconds)
    context.log.info(f"{progress}: {said or 'nothing left to do'}")


def _batch_report(
    context: dg.OpExecutionContext, outcomes: Sequence[Outcome], results: Sequence[InvoiceResult]
) -> BatchReport:
    elsewhere = (Kind.STOPPED, Kind.CLAIMED_ELSEWHERE)
    left = frozenset(outcome.key for outcome in outcomes if outcome.kind in elsewhere)
    counts = Counter(result.state for result in results)
    context.add_output_metadata({state: count for state, count in sorted(counts.items())})
    why = {outcome.key: outcome.why for outcome in outcomes}
    finished = (result.with_error(why.get(result.key)) for result in results)
    return BatchReport(tuple(finished), left)
