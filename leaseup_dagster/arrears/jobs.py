"""What a person launches, and the clock: the job that reports the arrears, and its asset."""

from collections.abc import Iterator

import dagster as dg
from sqlalchemy import Engine

from leaseup_dagster.arrears import report, summary
from leaseup_dagster.arrears.checks import check_arrears
from leaseup_dagster.arrears.summary import Arrears
from leaseup_dagster.labels import DAILY, OWNERS
from leaseup_dagster.retries import SERVICE_UNREACHABLE
from leaseup_dagster.run_config import DayConfig
from leaseup_dagster.schedules import daily

arrears = dg.AssetSpec(
    "arrears",
    group_name="rent",
    owners=OWNERS,
    kinds={"postgres"},
    deps=["reminders"],
    description="Made by report_arrears, every day at 09:30 SAST (schedule"
    " arrears_at_half_past_nine), and for any past day manually. Who owes how much, for how long,"
    " and how much of what fell due has come in. The numbers are plotted.",
)


@dg.op(
    retry_policy=SERVICE_UNREACHABLE,
    description="Adds up what was owed at the end of the day: by age, by landlord, by month. Reads"
    " only.",
)
def add_up_arrears(
    context: dg.OpExecutionContext, config: DayConfig, engine: dg.ResourceParam[Engine]
) -> Iterator[dg.AssetMaterialization | dg.Output[Arrears]]:
    with engine.begin() as connection:
        found = summary.arrears(connection, config.day(), report.LISTED)
    context.log.info(report.headline(found))
    metadata = report.metadata(found)
    yield dg.AssetMaterialization("arrears", metadata=metadata)
    yield dg.Output(found, metadata=metadata)


@dg.job(
    description="Adds up who owes how much, for how long, as of the end of a day; what was billed"
    " and collected in it and in the twelve months before. Writes nothing. Runs by itself at"
    " 09:30.",
    tags=DAILY,
)
def report_arrears() -> None:
    check_arrears(add_up_arrears())


arrears_at_half_past_nine = daily(
    "arrears_at_half_past_nine",
    report_arrears,
    "09:30",
    first_step="add_up_arrears",
    why_then=", after the reminders",
)
