"""Which reminder is due on which day."""

import itertools
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaseup_dagster.reminders.rules.policy import (
    LastText,
    ReminderPolicy,
    due_step,
    is_finished,
    is_late,
)

USUAL = ReminderPolicy(after_days=3, repeat_days=7, maximum=4)
DUE = date(2026, 11, 1)


def day(overdue: int) -> date:
    return DUE + timedelta(days=overdue)


def texts(policy: ReminderPolicy, run_days: list[int]) -> list[tuple[int, int]]:
    """(day, step) of every text, when runs happen on these days only."""
    sent: list[tuple[int, int]] = []
    for number in run_days:
        last = LastText(sent[-1][1], day(sent[-1][0])) if sent else None
        step = due_step(policy, DUE, last, day(number))
        if step:
            sent.append((number, step))
    return sent


def test_three_days_overdue_is_not_late_four_are() -> None:
    assert not is_late(USUAL, DUE, day(3))
    assert is_late(USUAL, DUE, day(4))


def test_a_run_every_day_texts_four_times_a_week_apart() -> None:
    assert texts(USUAL, list(range(0, 60))) == [(4, 1), (11, 2), (18, 3), (25, 4)]


def test_no_repeats_means_once_only() -> None:
    assert texts(ReminderPolicy(3, 0, 4), list(range(0, 60))) == [(4, 1)]


def test_one_text_at_most_means_once_only() -> None:
    assert texts(ReminderPolicy(3, 7, 1), list(range(0, 60))) == [(4, 1)]


@pytest.mark.parametrize(
    ("run_days", "expected"),
    [
        ([200, 201, 230], [(200, 4)]),  # the first run of all
        ([4, 5, 30, 31, 37, 60], [(4, 1), (30, 4)]),  # down for a month
        ([4, 13, 14, 18, 20, 25, 27], [(4, 1), (13, 2), (20, 3), (27, 4)]),  # two days late
        ([10, 11, 12, 17, 18], [(10, 1), (17, 2)]),  # the first one late: still a week apart
    ],
)
def test_after_a_pause_there_is_one_text_and_never_the_missed_ones(run_days, expected) -> None:
    assert texts(USUAL, run_days) == expected


def test_a_due_date_moved_later_is_counted_from_there() -> None:
    assert due_step(USUAL, day(10), LastText(1, day(4)), day(12)) is None


def test_who_has_had_the_last_text_is_finished() -> None:
    assert is_finished(USUAL, LastText(4, DUE))
    assert is_finished(ReminderPolicy(3, 0, 4), LastText(1, DUE))
    assert not is_finished(USUAL, LastText(3, DUE))
    assert not is_finished(USUAL, None)


@given(
    st.builds(ReminderPolicy, st.integers(0, 10), st.integers(0, 10), st.integers(1, 6)),
    st.lists(st.integers(0, 120), max_size=60).map(sorted),
)
def test_whenever_runs_happen(policy: ReminderPolicy, run_days: list[int]) -> None:
    sent = texts(policy, run_days)
    late = [number for number in run_days if number > policy.after_days]
    days, steps = [number for number, _ in sent], [step for _, step in sent]

    assert len(sent) <= policy.maximum
    assert steps == sorted(set(steps))
    assert all(b - a >= policy.repeat_days for a, b in itertools.pairwise(days))
    assert days[:1] == late[:1]
