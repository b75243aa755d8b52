"""Every job, schedule, sensor and resource, by name."""

import dagster as dg

from leaseup_dagster.customers.jobs import (
    create_paystack_customers,
    paystack_customers,
    tenants_without_customer,
)
from leaseup_dagster.database.resource import EngineResource, QuotaResource
from leaseup_dagster.invoicing.jobs import (
    check_upcoming_invoices,
    create_invoice,
    invoices,
    invoicing_at_seven,
    preview_upcoming_invoices,
)
from leaseup_dagster.invoicing.resource import InvoiceCreationResource, TasksResource
from leaseup_dagster.paystack.resource import PaystackResource
from leaseup_dagster.reminders.jobs import (
    preview_late_payment_reminders,
    reminders,
    reminders_at_nine,
    send_late_payment_reminders,
)
from leaseup_dagster.reminders.resource import ReminderDeliveryResource, ReminderRulesResource
from leaseup_dagster.sms.resource import SmsResource

engine = EngineResource()
# Dagster's types are invariant: a resource of SharedQuota is not one of Quota to them.
paystack = PaystackResource(quota=QuotaResource(engine=engine))  # type: ignore[arg-type]
sms = SmsResource()

defs = dg.Definitions(
    assets=[invoices, paystack_customers, reminders],
    jobs=[
        check_upcoming_invoices,
        create_invoice,
        create_paystack_customers,
        preview_late_payment_reminders,
        preview_upcoming_invoices,
        send_late_payment_reminders,
    ],
    schedules=[invoicing_at_seven, reminders_at_nine],
    sensors=[tenants_without_customer],
    resources={
        "engine": engine,
        "paystack": paystack,
        "creation": InvoiceCreationResource(engine=engine, paystack=paystack),
        "delivery": ReminderDeliveryResource(engine=engine, paystack=paystack, sms=sms),
        "reminder_rules": ReminderRulesResource(),
        "sms": sms,
        "tasks": TasksResource(),
    },
    executor=dg.in_process_executor,
)
