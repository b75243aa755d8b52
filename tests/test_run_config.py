"""The day a job acts on: with real money the calendar's, or one that has just passed."""

from datetime import timedelta

import dagster as dg
import pytest

from leaseup_dagster.as_of import resolve_as_of
from leaseup_dagster.run_config import DayConfig

LIVE, TEST = "sk_live_x", "sk_test_x"


def day_from_now(days: int) -> DayConfig:
    return DayConfig(as_of=(resolve_as_of("") + timedelta(days=days)).isoformat())


@pytest.mark.parametrize("days", [1, 365, -8, -400])
def test_a_live_key_does_not_act_on_another_day(monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    monkeypatch.setenv("PAYSTACK_SECRET_KEY", LIVE)
    config = day_from_now(days)

    with pytest.raises(dg.Failure, match=f"as_of is {config.as_of} and today is") as refused:
        config.day_to_act_on()

    assert refused.value.allow_retries is False


@pytest.mark.parametrize(
    ("key", "days"), [(LIVE, 0), (LIVE, -1), (LIVE, -7), (TEST, 365), (TEST, -400)]
)
def test_a_day_that_is_acted_on(monkeypatch: pytest.MonkeyPatch, key: str, days: int) -> None:
    monkeypatch.setenv("PAYSTACK_SECRET_KEY", key)
    config = day_from_now(days)

    assert config.day_to_act_on().isoformat() == config.as_of


def test_without_a_day_it_is_today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYSTACK_SECRET_KEY", LIVE)

    assert DayConfig(as_of="").day_to_act_on() == resolve_as_of("")
