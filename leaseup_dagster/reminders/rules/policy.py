"""Which reminder is due, if any. Pure: days are arguments. ("Schedule" means cron here.)"""

from dataclasses import dataclass
from datetime import date, timedelta

from leaseup_dagster.reminders.keys import LastText
from leaseup_dagster.settings import ReminderSettings


@dataclass(frozen=True)
class ReminderPolicy:
    """First when more than `after_days` overdue, then every `repeat_days`, at most `maximum`
    texts. `repeat_days` of 0 means one text and no more."""

    after_days: int
    repeat_days: int
    maximum: int

    @classmethod
    def of(cls, rules: ReminderSettings) -> "ReminderPolicy":
        """The policy that the settings REMINDER_AFTER_DAYS, …_REPEAT_DAYS and …_MAX say."""
        return cls(rules.after_days, rules.repeat_days, rules.max)


def is_late(policy: ReminderPolicy, due_date: date, as_of: date) -> bool:
    """Whether the first reminder's day has come: with 3 days, the fourth after `due_date`."""
    return (as_of - due_date).days > policy.after_days


def due_step(
    policy: ReminderPolicy, due_date: date, last: LastText | None, as_of: date
) -> int | None:
    """The step to text on `as_of`, counted from 1; None if nothing is due.

    The steps have their days, counted from `due_date`; the last one stays open. Steps whose days
    nothing ran are never made up for: after a pause, or on the first run, there is one text, the
    newest. Two texts are never less than `repeat_days` apart, also when one was late.
    """
    if not is_late(policy, due_date, as_of):
        return None
    step = _step_of_the_day(policy, due_date, as_of)
    if last is None:
        return step
    too_soon = as_of < last.day + timedelta(days=policy.repeat_days)
    return None if too_soon or step <= last.step else step


def is_finished(policy: ReminderPolicy, last: LastText | None) -> bool:
    """Whether no further reminder will ever be due."""
    return last is not None and (policy.repeat_days == 0 or last.step >= policy.maximum)


def _step_of_the_day(policy: ReminderPolicy, due_date: date, as_of: date) -> int:
    if policy.repeat_days == 0:
        return 1
    since_first = (as_of - due_date).days - policy.after_days - 1
    return min(1 + since_first // policy.repeat_days, policy.maximum)
