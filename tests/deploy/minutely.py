"""The product's definitions, and a seven o'clock that comes every minute."""

import dagster as dg

from leaseup_dagster import definitions as product
from leaseup_dagster.as_of import JOHANNESBURG
from leaseup_dagster.invoicing.jobs import check_upcoming_invoices


@dg.schedule(
    job_name=check_upcoming_invoices.name,
    cron_schedule="* * * * *",
    execution_timezone=JOHANNESBURG.key,
)
def every_minute(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    return dg.RunRequest(run_key=context.scheduled_execution_time.isoformat())


defs = dg.Definitions.merge(product.defs, dg.Definitions(schedules=[every_minute]))
