"""How old a debt is. Pure; the statements of this package are held to it by a test."""

from enum import Enum


class Age(str, Enum):
    """A bucket of the ageing. The value is its name for people."""

    NOT_YET_DUE = "not yet due"
    TO_30 = "1-30 days"
    TO_60 = "31-60 days"
    TO_90 = "61-90 days"
    OVER_90 = "over 90 days"


UPPER_DAYS = {Age.NOT_YET_DUE: 0, Age.TO_30: 30, Age.TO_60: 60, Age.TO_90: 90}
"""The most days overdue of each; the last has no end."""


def age_of(days_overdue: int) -> Age:
    """`days_overdue` is counted from the due date, which is day 0: not yet overdue."""
    return next((age for age, most in UPPER_DAYS.items() if days_overdue <= most), Age.OVER_90)
