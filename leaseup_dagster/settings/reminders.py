"""When a late tenant is texted, and in which words."""

from datetime import time, timezone
from string import Formatter
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import SettingsConfigDict

from leaseup_dagster.settings.group import Group

REMINDER_PLACEHOLDERS = (
    "first_name", "what", "amount", "place", "due_date", "days", "link", "landlord", "count",
    "more",
)  # fmt: skip
"""What REMINDER_TEMPLATE may name: first name, "rent", R8 500.00, unit and property, 1 Nov 2026,
days overdue, pay link, and who sends. In REMINDER_TEMPLATE_SEVERAL the amount is the sum of `count`
invoices, `more` is how many there are beside the oldest, and the rest is about that one."""

_LONGEST_TEMPLATE = 600


def _template(text: str) -> str:
    try:
        fields = [part[1:] for part in Formatter().parse(text) if part[1] is not None]
    except ValueError as error:
        raise ValueError(f"is no template: {error}; write {{{{ for a brace") from None
    known = ", ".join(f"{{{name}}}" for name in REMINDER_PLACEHOLDERS)
    for name, form, conversion in fields:
        if name not in REMINDER_PLACEHOLDERS or form or conversion:
            raise ValueError(f"unknown placeholder {{{name}}}; known: {known}")
    if len(text) > _LONGEST_TEMPLATE:
        raise ValueError(f"must have at most {_LONGEST_TEMPLATE} characters")
    return text


def _hours(text: str) -> str:
    try:
        start, end = (time.fromisoformat(part.strip()) for part in text.split("-"))
    except ValueError:
        start = end = time(tzinfo=timezone.utc)
    if start.tzinfo or end.tzinfo:
        raise ValueError("must be two hours of the day, like 20:00-08:00; 00:00-00:00 for none")
    return text


class ReminderSettings(Group):
    """When a late tenant is texted, and in which words."""

    model_config = SettingsConfigDict(env_prefix="REMINDER_")

    after_days: int = Field(3, ge=0, le=365, description="More than this many days overdue.")
    repeat_days: int = Field(7, ge=0, le=365, description="0: one text, no more.")
    max: int = Field(4, ge=1, le=100, description="Texts per invoice and tenant.")
    quiet_hours: Annotated[str, AfterValidator(_hours)] = "20:00-08:00"
    template: Annotated[str, AfterValidator(_template)] = (
        "{landlord}: Hi {first_name}, {what} of {amount} for {place}, due {due_date}, is unpaid."
        " Pay: {link} Ignore if paid."
    )
    template_several: Annotated[str, AfterValidator(_template)] = (
        "{landlord}: Hi {first_name}, {amount} is unpaid: {what} for {place}, due {due_date}, and"
        " {more} more. Pay the oldest: {link} Ignore if paid."
    )
    max_texts: int = Field(1000, ge=1, le=1_000_000, description="More wait for a person's word.")

    @property
    def quiet_between(self) -> tuple[time, time]:
        """Hours of the day in Johannesburg: no text from the first until before the second."""
        start, end = (time.fromisoformat(part.strip()) for part in self.quiet_hours.split("-"))
        return start, end
