"""What a person may write into a run's config, as far as several jobs share it."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import dagster as dg
from dagster_shared.error import SerializableErrorInfo
from pydantic import Field, ValidationError, field_validator

from leaseup_dagster.as_of import johannesburg_date, parse_date, resolve_as_of
from leaseup_dagster.settings import PaystackSettings, load

LATE_BY = timedelta(days=7)
"""How old a day may be for which tenants are billed or texted: that of a run that had to wait."""


class ConfigFailure(dg.Failure):
    """A run that is refused for what was written into its config, before it did anything.

    Not retried. When a person launched it nobody else is alerted: the sentence is on their screen.
    """

    def __init__(self, why: str, metadata: Mapping[str, Any] | None = None) -> None:
        super().__init__(why, metadata=metadata, allow_retries=False)


def is_refused_config(error: SerializableErrorInfo | None) -> bool:
    """Whether a step or a run failed by a ConfigFailure, or by a config that Dagster refused.

    By the class's name: it is what every executor keeps of an exception.
    """
    return error is not None and (
        error.cls_name in (ConfigFailure.__name__, dg.DagsterInvalidConfigError.__name__)
        or is_refused_config(error.cause)
    )


def run_for_its_day(context: dg.ScheduleEvaluationContext, op: str) -> dg.RunRequest:
    """A schedule's run, once a day: its first step, `op`, gets the schedule's own day."""
    day = johannesburg_date(context.scheduled_execution_time).isoformat()
    return dg.RunRequest(run_key=day, run_config={"ops": {op: {"config": {"as_of": day}}}})


def checked_date(text: str, name: str) -> str:
    """The text, if it is empty or a date written YYYY-MM-DD.

    Raises a ConfigFailure: the same text would be as wrong again.
    """
    try:
        return text.strip() and parse_date(text, name).isoformat()
    except ValueError as error:
        raise ConfigFailure(str(error)) from None


class RunConfig(dg.Config):
    """What a person may write for a step; what is not right raises a ConfigFailure."""

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:  # as Pydantic says it, and Dagster would try it again
            raise ConfigFailure(_in_words(error)) from None


def _in_words(error: ValidationError) -> str:
    """Each field and what is wrong with it, without what was written there."""
    wrong = [
        f"{'.'.join(map(str, one['loc']))}: {one['msg'][:1].lower()}{one['msg'][1:]}"
        for one in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return f"{'; '.join(wrong)}."


class DayConfig(RunConfig):
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

        Raises a ConfigFailure when the key is live and the day is neither today nor
        within `LATE_BY` before it: a mistyped date must not reach a tenant.
        """
        as_of, today = self.day(), resolve_as_of("")
        if load(PaystackSettings).live and not today - LATE_BY <= as_of <= today:
            raise ConfigFailure(
                f"as_of is {as_of} and today is {today}: with a live key tenants are billed and"
                f" texted for today, or for one of the {LATE_BY.days} days before it. Nothing was"
                " done. The preview jobs take any day; bill_from bills months that were missed."
            )
        return as_of
