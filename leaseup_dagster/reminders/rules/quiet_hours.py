"""The hours in which nobody is texted. Pure: the instant is an argument."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from leaseup_dagster.as_of import JOHANNESBURG
from leaseup_dagster.settings import ReminderSettings

_ALL_DAY_SECONDS = 86_400


@dataclass(frozen=True)
class QuietHours:
    """From `start` until before `end`, hours of the day in Johannesburg, perhaps over midnight.

    Equal hours mean there are none.
    """

    start: time
    end: time

    @classmethod
    def of(cls, rules: ReminderSettings) -> "QuietHours":
        """The hours that REMINDER_QUIET_HOURS names."""
        return cls(*rules.quiet_between)

    def hold_at(self, instant: datetime) -> bool:
        """Whether nobody is texted at an aware `instant`."""
        now = instant.astimezone(JOHANNESBURG).time()
        if self.start <= self.end:
            return self.start <= now < self.end
        return now >= self.start or now < self.end

    def seconds_until(self, instant: datetime) -> int:
        """How long after an aware `instant` they begin; a whole day if there are none."""
        if self.start == self.end:
            return _ALL_DAY_SECONDS
        local = instant.astimezone(JOHANNESBURG)
        begin = datetime.combine(local.date(), self.start, JOHANNESBURG)
        if begin <= local:
            begin += timedelta(days=1)
        return int((begin - local).total_seconds())
