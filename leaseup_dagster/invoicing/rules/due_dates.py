"""The due dates of a lease. Pure: no clock, no database; `as_of` is always an argument.

The planning statement computes the same dates in SQL; a property test holds the two together.
"""

from datetime import date

from dateutil.relativedelta import relativedelta


def due_date(start: date, months: int) -> date:
    """The due date so many months after the lease's start, clipped to the month's end.

    Counted from the start each time, so that the 31st comes back after February.
    """
    return start + relativedelta(months=months)


def next_due_date(start: date, as_of: date) -> date:
    """The first due date on or after `as_of`; the start itself if the lease is yet to start."""
    months = max(0, _months_between(start, as_of))
    candidate = due_date(start, months)
    return candidate if candidate >= as_of else due_date(start, months + 1)


def is_due_date(start: date, day: date) -> bool:
    """Whether rent of a lease with this start falls due on that day."""
    months = _months_between(start, day)
    return months >= 0 and due_date(start, months) == day


def _months_between(start: date, day: date) -> int:
    """Calendar months from one date's month to the other's, whatever the days."""
    return (day.year - start.year) * 12 + day.month - start.month
