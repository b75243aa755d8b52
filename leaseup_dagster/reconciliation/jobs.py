"""What a person launches, and the clock: the job of reconciliation and the 02:00 schedule."""

import dagster as dg

from leaseup_dagster.labels import DAILY, MANUAL, OWNERS
from leaseup_dagster.reconciliation.decision_ops import decide
from leaseup_dagster.reconciliation.ops import (
    ask_again,
    cut_into_weeks,
    reconcile_week,
    report_reconciliation,
)
from leaseup_dagster.schedules import daily

payment_requests = dg.AssetSpec(
    "payment_requests",
    group_name="rent",
    owners=OWNERS,
    kinds={"paystack"},
    deps=["invoices"],
    description="Made by reconcile_payment_requests, every day at 02:00 SAST (schedule"
    " reconciliation_at_two). How Paystack's payment requests agree with LeaseUp, as each night"
    " found and left them. The numbers are plotted over time.",
)


@dg.job(
    description="Compares Paystack's payment requests with LeaseUp: gives an invoice to one of ours"
    " that has none, records payments and marks their invoices PAID, archives unpaid duplicates,"
    " and lists what a person must decide. Touches nothing without our reference. Safe to launch at"
    " any time. Runs by itself at 02:00.",
    tags={**DAILY, "leaseup/exclusive": "reconcile_payment_requests"},
)
def reconcile_payment_requests() -> None:
    reports = cut_into_weeks().map(reconcile_week).collect()
    report_reconciliation(reports, ask_again(reports))


@dg.job(
    description="Says what is right where Paystack's money and LeaseUp's books differ and nobody"
    " but a person can know: the check `every_payment_counted_once` lists the invoices. `leave`:"
    " the books are right as they are; `record`: what Paystack received is money of its own, and is"
    " written down as well. It is asked again only if the sums change.",
    tags=MANUAL,
)
def decide_payment() -> None:
    decide()


reconciliation_at_two = daily(
    "reconciliation_at_two", reconcile_payment_requests, "02:00", first_step="cut_into_weeks"
)
