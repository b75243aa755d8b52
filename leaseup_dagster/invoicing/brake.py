"""The brake: a plan far above the usual stops before the first request. Pure."""

from leaseup_dagster.invoicing.keys import InvoicePlan
from leaseup_dagster.money import format_rands


def too_large(plan: InvoicePlan, usual: int, confirmed: int) -> str | None:
    """Why the plan must not be carried out without a person's word, or None.

    `usual` is TASK_MAX_NEW_INVOICES; `confirmed` is the run config's `confirm_up_to`.
    """
    if plan.to_bill <= max(usual, confirmed):
        return None
    return (
        f"This run would create {plan.to_bill} invoices for {format_rands(plan.total_cents)},"
        f" more than TASK_MAX_NEW_INVOICES ({usual}). Nothing was planned or sent. Look at"
        " preview_upcoming_invoices; if it is right, launch check_upcoming_invoices with"
        f" ops.plan_invoices.config.confirm_up_to: {plan.to_bill}."
    )
