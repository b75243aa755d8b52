"""The run limit: a plan far above the usual stops before the first request. Pure."""

from leaseup_dagster.invoicing.keys import InvoicePlan
from leaseup_dagster.money import format_rands

MAX_UNCONFIRMED_CANCELLATIONS = 20
"""Invoices that can be cancelled at once without a second word."""


def too_large(plan: InvoicePlan, usual: int, confirmed: int) -> str | None:
    """Why the plan must not be carried out without a person's word, or None.

    `usual` is TASK_MAX_NEW_INVOICES; `confirmed` is the run config's `confirm_up_to`.
    """
    if plan.new <= max(usual, confirmed):
        return None
    return (
        f"This run would create {plan.to_bill} invoices for {format_rands(plan.total_cents)},"
        f" {plan.new} of them new, more than TASK_MAX_NEW_INVOICES ({usual}). Nothing new was"
        " planned, and nothing was sent. Check preview_upcoming_invoices;"
        " if it is right, launch check_upcoming_invoices with"
        f" ops.plan_invoices.config.confirm_up_to: {plan.new}."
    )


def too_many_to_cancel(count: int, usual: int, confirmed: int) -> str | None:
    """Why so many invoices must not be cancelled without a person's word, or None.

    `usual` is TASK_MAX_NEW_INVOICES; `confirmed` is the run config's `confirm_up_to`.
    """
    most = min(usual, MAX_UNCONFIRMED_CANCELLATIONS)
    if count <= max(most, confirmed):
        return None
    return (
        f"This run would cancel {count} invoices, more than {most} at once. Nothing was cancelled."
        f" If that is right, launch again with confirm_up_to: {count}."
    )
