"""What a person may write into a run's config, as far as several jobs share it."""

from datetime import date, timedelta

import dagster as dg
from pydantic import Field, field_validator

from leaseup_dagster.as_of import johannesburg_date, parse_date, resolve_as_of
from leaseup_dagster.settings import PaystackSettings, load

LATE_BY = timedelta(days=7)
"""How old a day may be for which tenants are billed or texted: that of a run that had to wait."""


def run_for_its_day(context: dg.ScheduleEvaluationContext, op: str) -> dg.RunRequest:
    """A schedule's run, once a day: its first step, `op`, is told the schedule's own day."""
    day = johannesburg_date(context.scheduled_execution_time).isoformat()
    return dg.RunRequest(run_key=day, run_config={"ops": {op: {"config": {"as_of": day}}}})


def checked_date(text: str, name: str) -> str:
    """The text, if it is empty or a date written YYYY-MM-DD.

    Raises a Failure that is not retried: the same text would be as wrong again.
    """
    try:
        return text.strip() and parse_date(text, name).isoformat()
    except ValueError as error:
        raise dg.Failure(str(error), allow_retries=False) from None


class DayConfig(dg.Config):
    """The day a run works for."""

    as_of: str = Field("", description="YYYY-MM-DD; empty: today in Johannesburg.")

    @field_validator("as_of")
    @classmethod
    def _check(cls, value: str) -> str:
        return checked_date(value, "as_of")

    def day(self) -> date:
        """`as_of`, or today in Johannesburg."""
        return resolve_as_of(self.as_of)

    def day_to_act_on(self) -> date:
        """`day`, for a job that bills or texts.

        Raises a Failure that is not retried when the key is live and the day is neither today nor
        within `LATE_BY` before it: a mistyped date must not reach a tenant.
        """
        as_of, today = self.day(), resolve_as_of("")
        if load(PaystackSettings).live and not today - LATE_BY <= as_of <= today:
            raise dg.Failure(
                f"as_of is {as_of} and today is {today}: with a live key tenants are billed and"
                f" texted for today, or for one of the {LATE_BY.days} days before it. Nothing was"
                " done. The preview jobs take any day; bill_from bills months that were missed.",
                allow_retries=False,
            )
        return as_of
