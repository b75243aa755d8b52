"""What a person launches to have one lease explained."""

import dagster as dg

from leaseup_dagster.explanation.ops import explain_one_lease
from leaseup_dagster.labels import READ_ONLY


@dg.job(
    description="Tells one lease's whole timeline: whether it is billed on a day and why not, its"
    " invoices, payments and reminders, each change in the ledgers with the run that made it, and"
    " what happens next and when. Put the lease's id into `lease_id`; read the report of the step."
    " Writes nothing and texts nobody.",
    tags=READ_ONLY,
)
def explain_lease() -> None:
    explain_one_lease()
