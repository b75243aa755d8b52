"""The steps that cancel invoices, as Dagster sees them: choose, cancel and say what became."""

import re
from dataclasses import replace
from datetime import date
from typing import Any

import dagster as dg
from pydantic import Field, field_validator
from sqlalchemy import Connection, Engine

from leaseup_dagster.as_of import resolve_as_of
from leaseup_dagster.database import ids
from leaseup_dagster.database.rehearsal import require
from leaseup_dagster.invoicing import rehearsal
from leaseup_dagster.invoicing.cancellation import preview
from leaseup_dagster.invoicing.cancellation.protocol import InvoiceCancellation, Kind, Outcome
from leaseup_dagster.invoicing.cancellation.report import COLUMNS, CancellationReport
from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.invoicing.ledger import cancelling
from leaseup_dagster.invoicing.ledger.cancelling import Chosen
from leaseup_dagster.invoicing.rules import run_limits
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.paystack.errors import redacted
from leaseup_dagster.retries import SERVICE_UNREACHABLE, try_again
from leaseup_dagster.run_config import ConfigFailure, RunConfig, checked_date
from leaseup_dagster.settings import TaskSettings
from leaseup_dagster.stopping import in_flight, seconds_left
from leaseup_dagster.tables import page_and_tables

_LONGEST_REASON = 200
_NO_REASON = (
    "reason is empty: say in a few words why the invoice is cancelled. Nothing was cancelled."
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class CancelConfig(RunConfig):
    """Which invoices a person wants back, and why. Stored and shown with the run."""

    invoice_ids: list[str] = Field(
        [], description="The invoices' ids in LeaseUp; or name one month by lease_id and due_date."
    )
    lease_id: str = Field("", description="With due_date, instead of invoice_ids.")
    due_date: str = Field("", description="YYYY-MM-DD: the month of lease_id to cancel.")
    reason: str = Field(
        "",
        description="Why, in a few words. Kept in the ledger and shown in reports: no names, no"
        " e-mail addresses, no phone numbers. Only a preview needs none.",
    )
    confirm: bool = Field(
        False,
        description="false: only a preview; the run says what it would cancel and changes nothing."
        " true: cancel it; a payment request cannot be brought back.",
    )
    confirm_up_to: int = Field(
        0,
        ge=0,
        description="Allow this many at once, where that is more than"
        f" {run_limits.MAX_UNCONFIRMED_CANCELLATIONS}.",
    )
    without_paystack: bool = Field(
        False,
        description="Cancel in LeaseUp also where Paystack does not know the payment request."
        " Only if PAYSTACK_SECRET_KEY is the key that it was made with.",
    )

    @field_validator("due_date")
    @classmethod
    def _is_a_date(cls, value: str) -> str:
        return checked_date(value, "due_date")

    @field_validator("reason")
    @classmethod
    def _is_a_reason(cls, value: str) -> str:
        said = " ".join(value.split())
        wrong = None
        if len(said) > _LONGEST_REASON:
            wrong = f"reason has {len(said)} characters; at most {_LONGEST_REASON}"
        elif redacted(_DATE.sub("", said)) != _DATE.sub("", said):
            wrong = "reason must not hold an e-mail address, a phone number or a key"
        if wrong:
            raise ConfigFailure(wrong)
        return said


@dg.op(
    retry_policy=SERVICE_UNREACHABLE,
    description="Finds the invoices that are to be cancelled and refuses what this product did not"
    " make. Writes nothing, calls nobody.",
)
def choose_invoices_to_cancel(
    context: dg.OpExecutionContext,
    config: CancelConfig,
    engine: dg.ResourceParam[Engine],
    tasks: dg.ResourceParam[TaskSettings],
) -> Chosen:
    if config.confirm and not config.reason:
        raise ConfigFailure(_NO_REASON)
    with engine.connect() as connection:
        chosen = _chosen(connection, config)
        left_over = cancelling.left_over(connection)
    braked = run_limits.too_many_to_cancel(
        len(chosen.invoices), tasks.max_new_invoices, config.confirm_up_to
    )
    if not config.confirm:
        return _only_to_be_shown(context, config, chosen, braked, len(left_over))
    if braked:
        raise ConfigFailure(braked)
    asked = {invoice.key for invoice in chosen.invoices}
    others = tuple(invoice for invoice in left_over if invoice.key not in asked)
    context.log.info(f"Found {len(chosen.invoices)} invoices to cancel")
    if others:
        context.log.warning(f"{len(others)} cancellations of earlier runs are finished as well")
    return replace(
        chosen,
        invoices=chosen.invoices + others,
        without_paystack=config.without_paystack,
    )


@dg.op(
    retry_policy=SERVICE_UNREACHABLE,
    description="Asks Paystack about each invoice, archives its payment request, and cancels it"
    " here. A payment wins: what is paid, in full or in part, stays. Fails the run if any stays."
    " Without confirm: true it only shows how each invoice stands on both sides.",
)
def cancel_chosen_invoices(
    context: dg.OpExecutionContext,
    chosen: Chosen,
    engine: dg.ResourceParam[Engine],
    paystack: dg.ResourceParam[PaystackClient],
    tasks: dg.ResourceParam[TaskSettings],
) -> None:
    if chosen.look_only:
        _show(context, chosen, engine, paystack, tasks)
        return
    if chosen.invoices:
        today = resolve_as_of("")
        require(engine, rehearsal.paid(today), rehearsal.cancelled(today))
    cancellation = InvoiceCancellation(engine, paystack, chosen.without_paystack)
    outcomes = in_flight(
        cancellation.cancel,
        chosen.invoices,
        width=tasks.batch_size,
        stop=paystack.stop,
        seconds=seconds_left(context, tasks.taking_seconds),
    )
    again = [outcome for outcome in outcomes if outcome.kind.worth_another_try]
    try_again(context, len(again), len(outcomes), "cancellations")
    outcomes += [Outcome(invoice, Kind.ALREADY_CANCELLED) for invoice in chosen.already]
    _report(context, CancellationReport(tuple(outcomes), chosen.refused))


def _chosen(connection: Connection, config: CancelConfig) -> Chosen:
    """Raises a ConfigFailure where the config names no month, or two things."""
    by_month = bool(config.lease_id or config.due_date)
    wrong = None
    if by_month == bool(config.invoice_ids) or by_month != bool(config.lease_id):
        wrong = "Name either invoice_ids, or one month by lease_id and due_date."
    elif by_month and ids.kind_of(connection, config.lease_id) != "a lease":
        wrong = ids.not_a("a lease", connection, config.lease_id)
    elif by_month and not config.due_date:
        wrong = "Name the month to cancel: due_date, as YYYY-MM-DD."
    if wrong:
        raise ConfigFailure(wrong)
    if by_month:
        key = LedgerKey(date.fromisoformat(config.due_date), config.lease_id)
        return cancelling.of_month(connection, key, config.reason)
    return cancelling.of_invoices(connection, config.invoice_ids, config.reason)


def _only_to_be_shown(
    context: dg.OpExecutionContext,
    config: CancelConfig,
    chosen: Chosen,
    braked: str | None,
    left_over: int,
) -> Chosen:
    """What earlier runs began stays for one that is confirmed."""
    notes = []
    if braked:
        notes.append(f"So many at once also need confirm_up_to: {len(chosen.invoices)}.")
    if left_over:
        notes.append(f"{left_over} begun by earlier runs would be finished as well.")
    context.log.info(f"Found {len(chosen.invoices)} invoices to show; confirm is false")
    return replace(
        chosen, without_paystack=config.without_paystack, look_only=True, notes=tuple(notes)
    )


def _show(
    context: dg.OpExecutionContext,
    chosen: Chosen,
    engine: Engine,
    paystack: PaystackClient,
    tasks: TaskSettings,
) -> None:
    with engine.connect().execution_options(postgresql_readonly=True) as connection:
        in_leaseup = cancelling.in_leaseup(connection, chosen.invoices)
    at_paystack = in_flight(
        lambda one: preview.ask(one, paystack, without_paystack=chosen.without_paystack),
        chosen.invoices,
        width=tasks.batch_size,
        stop=paystack.stop,
        seconds=seconds_left(context, tasks.taking_seconds),
    )
    seen = preview.load_preview(chosen, in_leaseup, at_paystack)
    for said in filter(None, ("\n".join(seen.lines()), seen.headline)):
        context.log.info(said)
    sections = {"invoices": (preview.COLUMNS, seen.rows())}
    context.add_output_metadata({**page_and_tables(seen.headline, sections)})


def _report(context: dg.OpExecutionContext, done: CancellationReport) -> None:
    metadata: dict[str, Any] = {
        **page_and_tables(done.headline, {"invoices": (COLUMNS, done.rows())}),
        **done.counts(),
    }
    for said in filter(None, ("\n".join(done.lines()), done.headline)):
        context.log.info(said)
    if done.failed and not done.outcomes:  # nothing that was named could be tried
        raise ConfigFailure(done.in_words(), metadata)
    if done.failed:
        raise dg.Failure(done.in_words(), metadata=metadata, allow_retries=False)
    context.add_output_metadata(metadata)
