"""The steps that plan, as Dagster sees them. They write at most the plan, and call nobody."""

from datetime import date

import dagster as dg
from pydantic import Field, field_validator
from sqlalchemy import Engine

from leaseup_dagster.database.rehearsal import require
from leaseup_dagster.invoicing import rehearsal
from leaseup_dagster.invoicing.keys import InvoicePlan
from leaseup_dagster.invoicing.ledger import transitions
from leaseup_dagster.invoicing.planning import manual, planner, report
from leaseup_dagster.invoicing.planning.missed import LONGEST_AGO
from leaseup_dagster.invoicing.rules import run_limits
from leaseup_dagster.invoicing.rules.skip_reasons import SkipReason
from leaseup_dagster.money import format_rands
from leaseup_dagster.retries import SERVICE_UNREACHABLE
from leaseup_dagster.run_config import ConfigFailure, DayConfig, checked_date
from leaseup_dagster.settings import TaskSettings
from leaseup_dagster.tables import ROWS_SHOWN, page_and_tables, shown_whole, table


class PlanConfig(DayConfig):
    """Which months a plan is of."""

    bill_from: str = Field(
        "",
        description="YYYY-MM-DD: also bill every month that fell due from this day on and was"
        " missed, as when the service was down. Empty: each lease's next due date only.",
    )

    @field_validator("bill_from")
    @classmethod
    def _is_a_day(cls, value: str) -> str:
        return checked_date(value, "bill_from")

    def first_day(self) -> date | None:
        """`bill_from`; a ConfigFailure if it is no day to begin from."""
        if not self.bill_from:
            return None
        first, as_of = date.fromisoformat(self.bill_from), self.day()
        # A mistyped year must not bill the tenants' whole past.
        if not as_of - LONGEST_AGO <= first <= as_of:
            raise ConfigFailure(
                f"bill_from must be a day of the {LONGEST_AGO.days} days up to {as_of}, not"
                f" {first}. An older month of one lease is billed by create_invoice."
            )
        return first


class CheckConfig(PlanConfig):
    """The config of check_upcoming_invoices."""

    confirm_up_to: int = Field(
        0, ge=0, description="Allow this many invoices although TASK_MAX_NEW_INVOICES is less."
    )


class OneInvoiceConfig(DayConfig):
    """Which month of which lease a person wants billed."""

    lease_id: str = Field(description="The lease's id in LeaseUp.")
    due_date: str = Field("", description="YYYY-MM-DD, a due date of the lease; empty: its next.")
    rebill: bool = Field(
        False, description="Bill again a month whose invoice was cancelled by a person."
    )

    @field_validator("due_date")
    @classmethod
    def _is_a_due_date(cls, value: str) -> str:
        return checked_date(value, "due_date")


@dg.op(
    retry_policy=SERVICE_UNREACHABLE,
    description="Plans an invoice for each lease whose next due date is near, and says why the"
    " others get none. Writes the plan into the ledger; calls nobody.",
)
def plan_invoices(
    context: dg.OpExecutionContext,
    config: CheckConfig,
    engine: dg.ResourceParam[Engine],
    tasks: dg.ResourceParam[TaskSettings],
) -> InvoicePlan:
    as_of, bill_from = config.day_to_act_on(), config.first_day()
    context.log.info(f"Starting check for upcoming invoices as_of={as_of}")
    require(engine, rehearsal.invoiced(as_of))
    with planner.planned(engine, as_of, tasks, bill_from) as plan:
        too_large = run_limits.too_large(plan, tasks.max_new_invoices, config.confirm_up_to)
        if too_large:  # leaving by an exception takes the plan back
            raise dg.Failure(too_large, allow_retries=False)
    _log_plan(context, plan)
    return plan


@dg.op(
    retry_policy=SERVICE_UNREACHABLE,
    description="Plans one month of one lease because a person asked for it, whatever the window"
    " and the lease's automatic switch say.",
)
def plan_one_invoice(
    context: dg.OpExecutionContext,
    config: OneInvoiceConfig,
    engine: dg.ResourceParam[Engine],
    tasks: dg.ResourceParam[TaskSettings],
) -> InvoicePlan:
    as_of = config.day_to_act_on()
    require(engine, rehearsal.invoiced(as_of))
    with engine.begin() as connection:
        asked = manual.month_asked_for(connection, config.lease_id, config.due_date, as_of)
        if isinstance(asked, str):
            raise ConfigFailure(asked)
        if config.rebill:
            transitions.reopen_cancelled(connection, asked)
        plan = planner.plan_one(connection, asked, as_of, tasks, rebill=config.rebill)
        refused = manual.why_not(plan)
        if refused:
            raise ConfigFailure(refused)
    _log_plan(context, plan)
    return plan


@dg.op(
    retry_policy=SERVICE_UNREACHABLE,
    description="Shows what check_upcoming_invoices would bill, for how much, and every lease it"
    " would skip with the reason. Writes nothing, calls nobody.",
)
def preview_invoices(
    context: dg.OpExecutionContext,
    config: PlanConfig,
    engine: dg.ResourceParam[Engine],
    tasks: dg.ResourceParam[TaskSettings],
) -> None:
    as_of, bill_from = config.day(), config.first_day()
    seen = planner.preview(engine, as_of, tasks, ROWS_SHOWN, bill_from)
    plan, bill, skip = seen.plan, seen.bill, seen.skip
    for lines in shown_whole(report.preview_lines(plan, bill, skip)):
        context.log.info(lines)
    context.log.info(report.preview_summary(plan))
    warning = run_limits.too_large(plan, tasks.max_new_invoices, confirmed=0)
    if warning:
        context.log.warning(warning)
    headline = "\n\n".join(filter(None, (report.preview_summary(plan), warning)))
    context.add_output_metadata(
        {
            **page_and_tables(headline, report.preview_sections(plan, bill, skip, seen.landlords)),
            "as of": plan.as_of.isoformat(),
            "to bill": plan.to_bill,
            "total": format_rands(plan.total_cents),
        }
    )


def _log_plan(context: dg.OpExecutionContext, plan: InvoicePlan) -> None:
    context.log.info(f"Found {plan.automatic_leases} leases with automatic invoices enabled")
    if plan.skipped:  # one event for all: each is a line of its own for who follows the run
        lines = [
            f"Skipped {one.leases} leases {SkipReason(one.reason).words}: reason={one.reason}"
            for one in plan.skipped
        ]
        context.log.info("\n".join(lines))
    context.add_output_metadata(
        {
            "as of": plan.as_of.isoformat(),
            "to bill": plan.to_bill,
            "total": format_rands(plan.total_cents),
            "skipped": table(report.SKIPPED_COLUMNS, report.skipped_rows(plan)),
        }
    )
