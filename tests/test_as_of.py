"""The billing day is Johannesburg's, whatever the server thinks."""

from datetime import datetime, timedelta, timezone

import pytest

from leaseup_dagster.as_of import johannesburg_date, parse_date, resolve_as_of


@pytest.mark.parametrize("offset", [-8, 0, 2, 14])
@pytest.mark.parametrize(("hour", "minute", "day"), [(22, 30, 25), (21, 30, 24)])
def test_the_day_turns_at_midnight_in_johannesburg(
    offset: int, hour: int, minute: int, day: int
) -> None:
    """22:30 UTC is half past midnight there: the same instant is the same day on every server."""
    instant = datetime(2026, 11, 24, hour, minute, tzinfo=timezone.utc)

    found = johannesburg_date(instant.astimezone(timezone(timedelta(hours=offset))))

    assert found.day == day


def test_a_configured_day_wins_over_today() -> None:
    assert resolve_as_of(" 2026-02-28 ").isoformat() == "2026-02-28"


def test_without_one_it_is_today_in_johannesburg() -> None:
    before = johannesburg_date(datetime.now(timezone.utc))
    found = resolve_as_of("")
    assert before <= found <= johannesburg_date(datetime.now(timezone.utc))


@pytest.mark.parametrize("text", ["tomorrow", "2026-02-30", "28/02/2026"])
def test_what_is_not_a_date_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"due_date must be a date written YYYY-MM-DD"):
        parse_date(text, "due_date")
