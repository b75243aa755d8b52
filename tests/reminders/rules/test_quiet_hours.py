"""The hours in which nobody is texted, in Johannesburg whatever the server's zone."""

from datetime import datetime, time, timezone

import pytest

from leaseup_dagster.as_of import JOHANNESBURG
from leaseup_dagster.reminders.rules.quiet_hours import QuietHours
from leaseup_dagster.settings import ReminderSettings, SettingsError, load

NIGHT = QuietHours(time(20), time(8))


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, 5, hour, minute, tzinfo=JOHANNESBURG)


@pytest.mark.parametrize(
    ("hour", "minute", "quiet"),
    [(7, 59, True), (8, 0, False), (9, 0, False), (19, 59, False), (20, 0, True), (22, 40, True),
     (0, 30, True)],
)  # fmt: skip
def test_a_night_ends_at_eight_and_begins_at_eight(hour: int, minute: int, quiet: bool) -> None:
    assert NIGHT.hold_at(at(hour, minute)) is quiet


def test_the_server_may_be_anywhere() -> None:
    assert NIGHT.hold_at(datetime(2026, 11, 5, 18, 30, tzinfo=timezone.utc))
    assert not NIGHT.hold_at(datetime(2026, 11, 5, 6, 0, tzinfo=timezone.utc))


def test_hours_within_one_day() -> None:
    lunch = QuietHours(time(12), time(13))

    assert lunch.hold_at(at(12, 30))
    assert not lunch.hold_at(at(13))


def test_equal_hours_are_none() -> None:
    never = QuietHours(time(0), time(0))

    assert not any(never.hold_at(at(hour)) for hour in range(24))
    assert never.seconds_until(at(9)) == 86_400


def test_how_long_a_text_may_wait_at_the_provider() -> None:
    assert NIGHT.seconds_until(at(19, 50)) == 600
    assert NIGHT.seconds_until(at(21)) == 23 * 3600


@pytest.mark.parametrize("wrong", ["20", "20:00", "8pm-8am", "20:00-25:00", "20:00+02:00-08:00"])
def test_hours_that_cannot_be_read_stop_the_run_at_its_start(monkeypatch, wrong: str) -> None:
    monkeypatch.setenv("REMINDER_QUIET_HOURS", wrong)

    with pytest.raises(SettingsError, match="REMINDER_QUIET_HOURS: must be two hours of the day"):
        load(ReminderSettings)


def test_the_default_is_the_night() -> None:
    assert QuietHours.of(ReminderSettings()) == NIGHT
