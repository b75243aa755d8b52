"""Rands become cents once, half up, exactly as the planning statement does it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaseup_dagster.money import cents_from_rands, format_rands, rands_from_cents


@pytest.mark.parametrize(
    ("rands", "cents"),
    [
        (8500.0, 850_000),
        (0.1 + 0.2, 30),
        (1.005, 101),
        (2.675, 268),
        (8500.004999999999, 850_001),
        (19.99, 1_999),
        (4.35, 435),
        (0.0, 0),
    ],
)
def test_rands_are_rounded_half_up_to_cents(rands: float, cents: int) -> None:
    assert cents_from_rands(rands) == cents


@pytest.mark.parametrize("rands", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_a_number_is_not_money(rands: float) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        cents_from_rands(rands)


@given(st.integers(0, 10**11))
def test_cents_survive_the_way_through_the_database(cents: int) -> None:
    assert cents_from_rands(rands_from_cents(cents)) == cents


@pytest.mark.parametrize(
    ("cents", "text"), [(850_000, "R8 500.00"), (5, "R0.05"), (123_456_789, "R1 234 567.89")]
)
def test_rands_are_written_the_south_african_way_in_ascii(cents: int, text: str) -> None:
    assert format_rands(cents) == text
    assert text.isascii()
