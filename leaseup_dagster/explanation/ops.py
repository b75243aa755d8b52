"""The step that explains one lease, as Dagster sees it."""

import dagster as dg
from pydantic import Field
from sqlalchemy import Engine

from leaseup_dagster.explanation import timeline
from leaseup_dagster.explanation.timeline import Rules, UnknownLease
from leaseup_dagster.explanation.words import as_text
from leaseup_dagster.retries import SERVICE_UNREACHABLE
from leaseup_dagster.run_config import ConfigFailure, DayConfig
from leaseup_dagster.settings import ReminderSettings, TaskSettings
from leaseup_dagster.tables import page_and_tables


class ExplainConfig(DayConfig):
    """Which lease, and how far to ask."""

    lease_id: str = Field(description="The lease's id in LeaseUp.")
    ask_paystack: bool = Field(
        False, description="Also ask Paystack how the lease's payment requests stand."
    )


@dg.op(
    retry_policy=SERVICE_UNREACHABLE,
    description="Reads everything about one lease and says it in words: in the log, and as tables"
    " in the report. Writes nothing, texts nobody; asks Paystack only on request.",
)
def explain_one_lease(
    context: dg.OpExecutionContext,
    config: ExplainConfig,
    engine: dg.ResourceParam[Engine],
    tasks: dg.ResourceParam[TaskSettings],
    reminder_rules: dg.ResourceParam[ReminderSettings],
) -> None:
    try:
        lease_timeline = timeline.load(
            engine,
            Rules(tasks, reminder_rules),
            config.lease_id,
            config.day(),
            ask_paystack=config.ask_paystack,
        )
    except UnknownLease as error:
        raise ConfigFailure(str(error)) from None
    sections = lease_timeline.sections()
    context.log.info(as_text(lease_timeline.headline, sections))
    context.add_output_metadata(page_and_tables(lease_timeline.headline, sections))
