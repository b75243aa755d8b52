"""The steps that remind, as Dagster sees them: what they are handed, say and pass on."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import dagster as dg
from pydantic import Field
from sqlalchemy import Engine

from leaseup_dagster.database.rehearsal import require
from leaseup_dagster.handover import place_among_runs, share
from leaseup_dagster.invoicing import rehearsal as recording_of
from leaseup_dagster.invoicing.payments import records
from leaseup_dagster.money import format_rands
from leaseup_dagster.reminders import rehearsal
from leaseup_dagster.reminders.communications import record
from leaseup_dagster.reminders.keys import (
    BatchReport,
    LateInvoices,
    ReminderBatch,
    ReminderDay,
    ReminderResult,
    SettledTexts,
)
from leaseup_dagster.reminders.overdue import queries, selection
from leaseup_dagster.reminders.rules.policy import ReminderPolicy
from leaseup_dagster.reminders.rules.run_limits import too_many
from leaseup_dagster.reminders.sending import (
    batches,
    late_tenants,
    outcomes,
    preview,
    report,
    unanswered,
)
from leaseup_dagster.reminders.sending.protocol import ReminderDelivery
from leaseup_dagster.retries import SERVICE_UNREACHABLE, try_again
from leaseup_dagster.run_config import DayConfig
from leaseup_dagster.settings import ReminderSettings, TaskSettings
from leaseup_dagster.sms.gsm7 import fingerprint
from leaseup_dagster.stopping import seconds_left
from leaseup_dagster.tables import ROWS_SHOWN, Section, page_and_tables, shown_whole


class ReminderConfig(DayConfig):
    """The config of send_late_payment_reminders."""

    ignore_quiet_hours: bool = Field(
        False, description="Text now, whatever REMINDER_QUIET_HOURS says."
    )
    confirm_up_to: int = Field(
        0, ge=0, description="Text up to so many tenants, although REMINDER_MAX_TEXTS is less."
    )


@dg.op(
    retry_policy=SERVICE_UNREACHABLE,
    description="Marks every PENDING invoice whose due date has passed as OVERDUE, and every"
    " PARTIALLY_PAID one as PAID whose recorded payments cover it.",
)
def mark_overdue_invoices(
    context: dg.OpExecutionContext,
    config: ReminderConfig,
    delivery: dg.ResourceParam[ReminderDelivery],
) -> ReminderDay:
    as_of = config.day_to_act_on()
    context.log.info(f"Starting late payment reminders check as_of={as_of}")
    require(delivery.engine, recording_of.paid(as_of), rehearsal.texted(as_of))
    with delivery.engine.begin() as connection:
        paid = records.mark_paid_in_part_by_mistake(connection)
        marked = queries.mark_overdue(connection, as_of)
        for template in (delivery.rules.template, delivery.rules.template_several):
            record.remember_template(connection, fingerprint(template), template)
    context.log.info(f"Marked {marked} invoices as OVERDUE")
    if paid:
        context.log.info(f"Marked {paid} invoices as PAID that their payments cover")
    return ReminderDay(as_of, marked, config.ignore_quiet_hours, config.confirm_up_to)


@dg.op(
    retry_policy=SERVICE_UNREACHABLE,
    description="Examines the provider for texts of earlier runs that got no answer. What is not"
    " found stays unknown, which counts as sent.",
)
def look_up_unanswered_texts(
    context: dg.OpExecutionContext,
    day: ReminderDay,
    delivery: dg.ResourceParam[ReminderDelivery],
    tasks: dg.ResourceParam[TaskSettings],
) -> SettledTexts:
    settled = unanswered.resolve_unanswered(delivery, seconds_left(context, tasks.taking_seconds))
    context.log.info(
        f"Texts without an answer: {settled.found_sent} found sent, {settled.found_refused}"
        f" found refused, {settled.still_unknown} still unknown"
    )
    return settled


@dg.op(
    retry_policy=SERVICE_UNREACHABLE,
    description="Finds every late invoice, and those about which somebody is due a text today.",
)
def find_late_invoices(
    context: dg.OpExecutionContext,
    day: ReminderDay,
    settled: SettledTexts,
    delivery: dg.ResourceParam[ReminderDelivery],
) -> LateInvoices:
    policy = ReminderPolicy.of(delivery.rules)
    with delivery.engine.begin() as connection:
        late = selection.find(connection, policy, day.as_of)
    _log_late(context, late, policy)
    if delivery.sender is not None:
        why = too_many(late.tenants, delivery.rules.max_texts, day.confirm_up_to)
        if why:
            raise dg.Failure(why, allow_retries=False)
    return late


@dg.op(
    out=dg.DynamicOut(ReminderBatch),
    retry_policy=SERVICE_UNREACHABLE,
    description="Cuts the invoices about which somebody is due a text into batches.",
)
def cut_reminders_into_batches(
    context: dg.OpExecutionContext,
    day: ReminderDay,
    late: LateInvoices,
    tasks: dg.ResourceParam[TaskSettings],
) -> Iterator[dg.DynamicOutput[ReminderBatch]]:
    late = replace(late, people=tuple(share(late.people, *place_among_runs(context))))
    for batch in batches.cut(late, day, tasks.batch_size):
        yield dg.DynamicOutput(batch, mapping_key=batch.place.mapping_key)


@dg.op(
    retry_policy=SERVICE_UNREACHABLE,
    description="Asks Paystack whether each invoice of the batch is still unpaid, and texts its"
    " tenants. One bad number stops no other; only what was certainly not sent is tried again.",
)
def send_reminders(
    context: dg.OpExecutionContext,
    batch: ReminderBatch,
    delivery: dg.ResourceParam[ReminderDelivery],
    tasks: dg.ResourceParam[TaskSettings],
) -> BatchReport:
    began = time.monotonic()
    results = batches.remind(
        batch,
        delivery,
        run_id=context.run_id,
        width=tasks.batch_size,
        seconds=seconds_left(context, tasks.taking_seconds),
        on_progress=context.log.info,
    )
    _log(context, results, batch.place.progress(len(batch.invoice_ids), time.monotonic() - began))
    again = [result for result in results if result.kind.worth_another_try]
    try_again(context, len(again), len(results), "texts")
    done = batches.report(batch, delivery, results, context.run_id)
    context.add_output_metadata(report.counts(done.results))
    return done


@dg.op(
    description="Says who was texted, who was not and why. Fails the run if a text that is due"
    " did not go out for another reason than its number.",
)
def report_reminders(
    context: dg.OpExecutionContext,
    day: ReminderDay,
    settled: SettledTexts,
    late: LateInvoices,
    reports: list[BatchReport],
    delivery: dg.ResourceParam[ReminderDelivery],
) -> Iterator[dg.AssetMaterialization | dg.Output[None]]:
    results = [result for done in reports for result in done.results]
    late = _as_it_stands(delivery, late, results)
    policy = ReminderPolicy.of(delivery.rules)
    metadata = _metadata(day, settled, late, results, policy)
    context.log.info(_headline(day, late, results, policy))
    # Yielded, not logged: an event that an op logs is lost when the op raises.
    yield dg.AssetMaterialization("reminders", metadata=metadata)
    if report.fails(results):
        raise dg.Failure(report.in_words(results), metadata=metadata, allow_retries=False)
    yield dg.Output(None, metadata=metadata)


def _as_it_stands(
    delivery: ReminderDelivery, late: LateInvoices, results: list[ReminderResult]
) -> LateInvoices:
    """What is left is counted in the database: a run that goes on *From failure* has not the
    results of the steps that never ran. Where nobody's is missing, nothing is read again."""
    said = {result.invoice_id for result in results}
    if said.issuperset(late.due):
        return late
    with delivery.engine.begin() as connection:
        now = selection.find(connection, ReminderPolicy.of(delivery.rules), late.as_of)
    return replace(late, left=now.left + len(set(now.due) - said))


@dg.op(
    retry_policy=SERVICE_UNREACHABLE,
    description="Shows whom send_late_payment_reminders would text, if Paystack says that they"
    " have not paid, and whom it would skip. Writes nothing, calls nobody.",
)
def preview_reminders(
    context: dg.OpExecutionContext,
    config: DayConfig,
    engine: dg.ResourceParam[Engine],
    reminder_rules: dg.ResourceParam[ReminderSettings],
) -> None:
    as_of = config.day()
    with engine.connect().execution_options(postgresql_readonly=True) as connection:
        shown = preview.preview_reminders_of(connection, reminder_rules, as_of, ROWS_SHOWN)
    _log_late(context, shown.late, ReminderPolicy.of(reminder_rules))
    for lines in shown_whole(preview.lines(shown)):
        context.log.info(lines)
    sections: dict[str, Section] = {
        "would text": (preview.COLUMNS, shown.rows),
        "would skip": (late_tenants.COLUMNS, shown.skipped),
    }
    headline = (
        f"{shown.late.late} invoices are {outcomes.how_late(reminder_rules.after_days)},"
        f" {format_rands(shown.late.cents)};"
        f" {shown.late.tenants} tenants are due a text about {len(shown.late.due)} of them, if"
        " Paystack says that they have not paid. Nothing was written, nobody was called."
    )
    context.add_output_metadata(
        {
            **page_and_tables(headline, sections),
            "as of": as_of.isoformat(),
            "late": shown.late.late,
            "due a text": len(shown.late.due),
        }
    )


def _headline(
    day: ReminderDay, late: LateInvoices, results: list[ReminderResult], policy: ReminderPolicy
) -> str:
    owed = late_tenants.owed(late, results)
    return outcomes.headline(day, late, results, owed, policy.after_days)


def _log_late(context: dg.OpExecutionContext, late: LateInvoices, policy: ReminderPolicy) -> None:
    context.log.info(f"Found {late.late} invoices overdue by more than {policy.after_days} days")
    context.log.info(
        f"{len(late.due) + late.left} are due a text, {late.waiting} wait for their next one,"
        f" {late.finished} have had their last"
    )


def _log(context: dg.OpExecutionContext, results: list[ReminderResult], progress: str) -> None:
    """One event for all: each costs Dagster's storage as much as a text costs the provider."""
    fine = report.lines(r for r in results if not r.kind.failed)
    failed = report.lines(r for r in results if r.kind.failed)
    said = ", ".join(f"{count} {kind}" for kind, count in report.counts(results).items())
    context.log.info("\n".join([f"{progress}: {said or 'nothing left to do'}", *fine]))
    if failed:
        context.log.warning("\n".join(failed))


def _metadata(
    day: ReminderDay,
    settled: SettledTexts,
    late: LateInvoices,
    results: list[ReminderResult],
    policy: ReminderPolicy,
) -> dict[str, Any]:
    counts = report.counts(results)
    sections: dict[str, Section] = {
        "not sent": (report.FAILED_COLUMNS, report.failed_rows(results)),
        "late tenants": (late_tenants.COLUMNS, late_tenants.rows(late, results, policy)),
    }
    # Text, since every number would be a plot.
    also = {
        "texts": counts.get("texted", 0),
        "planned": counts.get("planned", 0),
        report.LEFT_OVER: counts.get("left", 0) + late.left,
        "waiting for the next step": late.waiting,
        "had the last text": late.finished,
        "marked overdue": day.marked_overdue,
        "earlier texts found sent": settled.found_sent,
        "earlier texts still unknown": settled.still_unknown,
    }
    return {
        **page_and_tables(_headline(day, late, results, policy), sections),
        "as of": day.as_of.isoformat(),
        **outcomes.numbers(late, results),
        **{name: str(count) for name, count in also.items()},
    }
