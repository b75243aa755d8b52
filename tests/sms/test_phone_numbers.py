"""Every way a phone number was ever typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaseup_dagster.sms.phone_numbers import PhoneProblem, mask, number_hash, to_e164


@pytest.mark.parametrize(
    "typed",
    [
        "082 123 4567", "+27821234567", "0027821234567", "27821234567", "(0)82 123-4567",
        "+27 (0)82 123 4567", "821234567", "０８２１２３４５６７", "082\u00a0123\u00a04567",
        "\u202a+27 82 123 4567\u202c", " 082-123-4567\n",
    ],
)  # fmt: skip
def test_one_number_in_many_ways(typed: str) -> None:
    assert to_e164(typed) == "+27821234567"


@pytest.mark.parametrize(
    ("typed", "e164"), [("+44 7911 123456", "+447911123456"), ("+1 650 253 0000", "+16502530000")]
)
def test_a_mobile_of_another_country(typed: str, e164: str) -> None:
    assert to_e164(typed) == e164


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("", PhoneProblem.EMPTY),
        ("  \u200b", PhoneProblem.EMPTY),
        ("n/a", PhoneProblem.LETTERS),
        ("nan", PhoneProblem.LETTERS),
        ("1e9", PhoneProblem.LETTERS),
        ("0821234567 (wife)", PhoneProblem.LETTERS),
        ("082-ACME-123", PhoneProblem.LETTERS),
        ("O821234567", PhoneProblem.LETTERS),
        ("082 123 4567 x12", PhoneProblem.LETTERS),
        ("0821234567#12", PhoneProblem.EXTENSION),
        ("082 123 4567 / 083 765 4321", PhoneProblem.TWO_NUMBERS),
        ("0821234567, 0837654321", PhoneProblem.TWO_NUMBERS),
        ("082 123 4567 or 083 765 4321", PhoneProblem.TWO_NUMBERS),
        ("0821234567 0837654321", PhoneProblem.TWO_NUMBERS),
        ("082123456", PhoneProblem.NOT_A_NUMBER),
        ("08212345678", PhoneProblem.NOT_A_NUMBER),
        ("27821234567.0", PhoneProblem.NOT_A_NUMBER),
        ("-", PhoneProblem.NOT_A_NUMBER),
        ("011 555 1234", PhoneProblem.NOT_A_MOBILE),
        ("0861 123 456", PhoneProblem.NOT_A_MOBILE),
        ("0800 123 456", PhoneProblem.NOT_A_MOBILE),
        ("087 123 4567", PhoneProblem.NOT_A_MOBILE),
    ],
)
def test_what_cannot_be_texted_has_a_reason(typed: str, problem: PhoneProblem) -> None:
    assert to_e164(typed) is problem


@given(st.text(max_size=40))
def test_whatever_is_typed_is_a_number_or_a_reason(typed: str) -> None:
    result = to_e164(typed)

    assert isinstance(result, PhoneProblem) or result[1:].isdigit()


@given(st.integers(60_000_0000, 89_999_9999))
def test_a_south_african_number_has_nine_digits_or_none(national: int) -> None:
    result = to_e164(f"0{national}")

    assert isinstance(result, PhoneProblem) or result == f"+27{national}"


def test_a_mask_shows_the_country_and_four_digits() -> None:
    assert mask("+27821234567") == "+27*****4567"
    assert mask("+1234") == "*****"


def test_a_hash_notices_a_change() -> None:
    assert number_hash("+27821234567") != number_hash("+27821234568")
