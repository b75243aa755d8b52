"""What a person launches, and the clock: the jobs of invoicing and the 07:00 schedule."""

from typing import Any

import dagster as dg

from leaseup_dagster.customers.ops import register_planned_customers
from leaseup_dagster.invoicing.cancellation.ops import (
    cancel_chosen_invoices,
    choose_invoices_to_cancel,
)
from leaseup_dagster.invoicing.checks import check_invoices
from leaseup_dagster.invoicing.creation.ops import (
    compare_before_billing,
    create_planned_invoices,
    cut_into_batches,
    report_invoicing,
    settle_unanswered_invoices,
)
from leaseup_dagster.invoicing.planning.ops import plan_invoices, plan_one_invoice, preview_invoices
from leaseup_dagster.labels import DAILY, MANUAL, OWNERS, READ_ONLY
from leaseup_dagster.schedules import daily

invoices = dg.AssetSpec(
    "invoices",
    group_name="rent",
    owners=OWNERS,
    kinds={"paystack", "postgres"},
    deps=["paystack_customers"],
    description="Made by check_upcoming_invoices, every day at 07:00 SAST (schedule"
    " invoicing_at_seven). What each morning created, skipped and could not create. The numbers are"
    " plotted over time; each event holds that morning's report.",
)


def _bill(plan: Any) -> Any:
    """The steps from a plan to its report; the last that bills, for what comes after it."""
    customers = register_planned_customers(planned=plan)
    compared = compare_before_billing(plan, customers)
    reports = cut_into_batches(plan, compared).map(create_planned_invoices).collect()
    settled = settle_unanswered_invoices(plan, reports)
    report_invoicing(plan, customers, reports, settled)
    return settled


@dg.job(
    description="Bills every lease with automatic invoicing whose next due date is within"
    " TASK_CHECK_DAYS_AHEAD days (50). Safe to launch at any time: what is billed already is"
    " skipped, and what a crashed run left is finished. Runs by itself at 07:00.",
    tags={**DAILY, "leaseup/exclusive": "check_upcoming_invoices"},
)
def check_upcoming_invoices() -> None:
    plan = plan_invoices()
    check_invoices(plan, _bill(plan))


@dg.job(
    description="Bills one month of one lease: put its id into `lease_id`. Launched by a person or"
    " by LeaseUp. A month that is billed already stays billed once.",
    tags=MANUAL,
)
def create_invoice() -> None:
    _bill(plan_one_invoice())


@dg.job(
    description="Cancels invoices: archives the payment request at Paystack and sets LeaseUp's"
    " invoice CANCELLED. Put the invoice's id into `invoice_ids`, or name a month by `lease_id` and"
    " `due_date`; give a `reason` and `confirm: true`. With `confirm: false` the run only shows"
    " what it would cancel, and how both sides stand. What is paid, also in part, stays. The"
    " month is not billed again, unless create_invoice is launched with rebill: true. Safe to"
    " launch again after a failure.",
    tags=MANUAL,
)
def cancel_invoice() -> None:
    cancel_chosen_invoices(choose_invoices_to_cancel())


@dg.job(
    description="Shows what check_upcoming_invoices would bill on a day, for how much, and each"
    " lease it would skip with the reason. Writes nothing and calls nobody.",
    tags=READ_ONLY,
)
def preview_upcoming_invoices() -> None:
    preview_invoices()


invoicing_at_seven = daily(
    "invoicing_at_seven", check_upcoming_invoices, "07:00", first_step="plan_invoices"
)
