"""Due dates are counted from the lease's start, each time."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaseup_dagster.invoicing.rules.due_dates import due_date, is_due_date, next_due_date

starts = st.dates(date(2000, 1, 1), date(2030, 12, 31))
days = st.dates(date(2000, 1, 1), date(2040, 12, 31))


@pytest.mark.parametrize(
    ("start", "as_of", "expected"),
    [
        pytest.param("2026-01-01", "2026-11-24", "2026-12-01", id="later this month's first"),
        pytest.param("2026-01-24", "2026-11-24", "2026-11-24", id="due today is still to come"),
        pytest.param("2026-01-23", "2026-11-24", "2026-12-23", id="due yesterday is over"),
        pytest.param("2026-01-31", "2026-02-01", "2026-02-28", id="clipped to February"),
        pytest.param("2026-01-31", "2026-03-01", "2026-03-31", id="the 31st comes back"),
        pytest.param("2026-01-31", "2026-04-15", "2026-04-30", id="and goes again"),
        pytest.param("2024-01-30", "2024-02-05", "2024-02-29", id="a leap year's February"),
        pytest.param("2024-02-29", "2025-02-10", "2025-02-28", id="from a leap day, a year on"),
        pytest.param("2024-02-29", "2025-03-01", "2025-03-29", id="from a leap day, the 29th"),
        pytest.param("2026-12-15", "2026-11-24", "2026-12-15", id="a lease yet to start"),
        pytest.param("2026-11-24", "2026-11-24", "2026-11-24", id="a lease that starts today"),
        pytest.param("2025-12-31", "2026-12-31", "2026-12-31", id="over a new year"),
    ],
)
def test_next_due_date(start: str, as_of: str, expected: str) -> None:
    found = next_due_date(date.fromisoformat(start), date.fromisoformat(as_of))

    assert found == date.fromisoformat(expected)


@given(starts, days)
def test_the_next_due_date_is_the_first_on_or_after_the_day(start: date, as_of: date) -> None:
    found = next_due_date(start, as_of)

    assert found >= max(start, as_of)
    assert is_due_date(start, found)
    between = (
        found - timedelta(days=n) for n in range(1, 32) if found - timedelta(days=n) >= as_of
    )
    assert not any(is_due_date(start, day) for day in between)


@given(starts, st.integers(0, 240))
def test_a_due_date_keeps_the_day_of_the_start_or_ends_the_month(start: date, months: int) -> None:
    found = due_date(start, months)

    assert found.day == start.day or (found + timedelta(days=1)).day == 1
    assert is_due_date(start, found)


def test_nothing_is_due_before_the_lease_starts() -> None:
    assert not is_due_date(date(2026, 6, 1), date(2026, 5, 1))
