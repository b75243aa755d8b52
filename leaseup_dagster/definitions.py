"""Every job, schedule, sensor and resource, by name."""

import dagster as dg

from leaseup_dagster.arrears.checks import ARREARS_CHECKS
from leaseup_dagster.arrears.jobs import arrears, arrears_at_half_past_nine, report_arrears
from leaseup_dagster.customers.jobs import (
    create_paystack_customers,
    paystack_customers,
    tenants_without_customer,
)
from leaseup_dagster.database.resource import EngineResource, QuotaResource
from leaseup_dagster.executors import chosen_executor, step_outputs
from leaseup_dagster.explanation.jobs import explain_lease
from leaseup_dagster.invoicing.checks import INVOICE_CHECKS
from leaseup_dagster.invoicing.jobs import (
    cancel_invoice,
    check_upcoming_invoices,
    create_invoice,
    invoices,
    invoicing_at_seven,
    preview_upcoming_invoices,
)
from leaseup_dagster.invoicing.resource import InvoiceCreationResource, TasksResource
from leaseup_dagster.invoicing.sensor import planned_invoices_left
from leaseup_dagster.labels import OWNERS, READ_ONLY
from leaseup_dagster.landlords.jobs import (
    landlord_emails,
    landlords_at_half_past_eight,
    preview_landlord_emails,
    tell_landlords,
)
from leaseup_dagster.landlords.resource import LandlordDeliveryResource, MailSettingsResource
from leaseup_dagster.operations.jobs import (
    digest_at_ten,
    failed_runs,
    forget_old_runs,
    morning_run_missing,
    old_runs_on_sundays,
    send_daily_digest,
)
from leaseup_dagster.paystack.resource import PaystackResource
from leaseup_dagster.reconciliation.checks import PAYMENT_CHECKS
from leaseup_dagster.reconciliation.jobs import (
    decide_payment,
    payment_requests,
    reconcile_payment_requests,
    reconciliation_at_two,
)
from leaseup_dagster.reconciliation.resource import RepairsResource
from leaseup_dagster.reminders.checks import REMINDER_CHECKS
from leaseup_dagster.reminders.jobs import (
    delivery_status_at_six,
    forget_old_communications,
    preview_late_payment_reminders,
    reminders,
    reminders_at_nine,
    retention_on_sundays,
    send_late_payment_reminders,
    update_delivery_status,
)
from leaseup_dagster.reminders.resource import (
    CommunicationsResource,
    ReminderDeliveryResource,
    ReminderRulesResource,
)
from leaseup_dagster.reminders.sensor import due_reminders_left
from leaseup_dagster.sms.resource import SmsResource

engine = EngineResource()
# Dagster's types are invariant: a resource of SharedQuota is not one of Quota to them.
paystack = PaystackResource(quota=QuotaResource(engine=engine))  # type: ignore[arg-type]
sms = SmsResource()

CHECKS = [*INVOICE_CHECKS, *PAYMENT_CHECKS, *REMINDER_CHECKS, *ARREARS_CHECKS]

leaseup_tables = dg.AssetSpec(
    "leaseup_tables",
    group_name="rent",
    owners=OWNERS,
    kinds={"postgres"},
    description="LeaseUp's own tables: leases, tenants, invoices and payments. Its application"
    " writes them all day; everything here begins with them.",
)

audit_books = dg.define_asset_job(
    "audit_books",
    selection=dg.AssetSelection.checks(*CHECKS),
    description="Evaluates every check of the assets `invoices`, `payment_requests`, `reminders`"
    " and `arrears`, as their Checks tab does one by one. Asks the database only, changes nothing,"
    " fails if a check fails.",
    tags=READ_ONLY,
)

defs = dg.Definitions(
    assets=[
        leaseup_tables,
        paystack_customers,
        invoices,
        payment_requests,
        reminders,
        arrears,
        landlord_emails,
    ],
    asset_checks=CHECKS,
    jobs=[
        audit_books,
        cancel_invoice,
        check_upcoming_invoices,
        create_invoice,
        create_paystack_customers,
        decide_payment,
        explain_lease,
        forget_old_communications,
        forget_old_runs,
        preview_landlord_emails,
        preview_late_payment_reminders,
        preview_upcoming_invoices,
        reconcile_payment_requests,
        report_arrears,
        send_daily_digest,
        send_late_payment_reminders,
        tell_landlords,
        update_delivery_status,
    ],
    schedules=[
        reconciliation_at_two,
        invoicing_at_seven,
        landlords_at_half_past_eight,
        reminders_at_nine,
        arrears_at_half_past_nine,
        delivery_status_at_six,
        retention_on_sundays,
        digest_at_ten,
        old_runs_on_sundays,
    ],
    sensors=[
        planned_invoices_left,
        due_reminders_left,
        tenants_without_customer,
        failed_runs,
        morning_run_missing,
    ],
    resources={
        "communications": CommunicationsResource(),
        "engine": engine,
        "paystack": paystack,
        "creation": InvoiceCreationResource(engine=engine, paystack=paystack),
        "delivery": ReminderDeliveryResource(engine=engine, paystack=paystack, sms=sms),
        "landlord_delivery": LandlordDeliveryResource(engine=engine),
        "mail": MailSettingsResource(),
        "reminder_rules": ReminderRulesResource(),
        "repairs": RepairsResource(engine=engine, paystack=paystack),
        "sms": sms,
        "tasks": TasksResource(),
        **step_outputs(engine),
    },
    executor=chosen_executor(),
)
