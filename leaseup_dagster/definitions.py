"""Every job, schedule, sensor and resource, by name."""

import dagster as dg

from leaseup_dagster.database.resource import EngineResource, QuotaResource
from leaseup_dagster.invoicing.jobs import (
    check_upcoming_invoices,
    create_invoice,
    invoicing_at_seven,
    preview_upcoming_invoices,
)
from leaseup_dagster.invoicing.resource import InvoiceCreationResource, TasksResource
from leaseup_dagster.paystack.resource import PaystackResource

engine = EngineResource()
# Dagster's types are invariant: a resource of SharedQuota is not one of Quota to them.
paystack = PaystackResource(quota=QuotaResource(engine=engine))  # type: ignore[arg-type]

defs = dg.Definitions(
    jobs=[check_upcoming_invoices, create_invoice, preview_upcoming_invoices],
    schedules=[invoicing_at_seven],
    resources={
        "engine": engine,
        "paystack": paystack,
        "creation": InvoiceCreationResource(engine=engine, paystack=paystack),
        "tasks": TasksResource(),
    },
    executor=dg.in_process_executor,
)
