"""What a person may write into a run's config, as far as several jobs share it."""

from datetime import date

import dagster as dg
from pydantic import Field, field_validator

from leaseup_dagster.as_of import parse_date, resolve_as_of


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
