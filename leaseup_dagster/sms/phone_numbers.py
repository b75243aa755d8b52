"""Phone numbers: as a person typed them → E.164, or the reason why not. Pure.

A number is never guessed: a wrong one would tell a stranger about somebody's rent.
"""

import hashlib
import unicodedata
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

_REGION = "ZA"
_SOUTH_AFRICA = 27
_NATIONAL_DIGITS = 9


class PhoneProblem(str, Enum):
    """Why a tenant's phone field cannot be texted."""

    EMPTY = "no phone number"
    TWO_NUMBERS = "more than one number in the phone field"
    LETTERS = "letters in the phone field"
    EXTENSION = "the phone number has an extension"
    NOT_A_NUMBER = "not a phone number"
    NOT_A_MOBILE = "not a mobile number"


def to_e164(typed: str) -> str | PhoneProblem:
    """The one mobile number in `typed`, of any country; South African when none is given."""
    # Marks that nobody sees come along when a number is copied from a contact.
    visible = "".join(c for c in typed if unicodedata.category(c) != "Cf").strip()
    if not visible:
        return PhoneProblem.EMPTY
    import phonenumbers  # noqa: PLC0415 - its tables: only for runs that have somebody to text

    if len(list(phonenumbers.PhoneNumberMatcher(visible, _REGION))) > 1:
        return PhoneProblem.TWO_NUMBERS
    # Parsing would convert letters into the digits on their keys, and make up a number.
    if any(character.isalpha() for character in visible):
        return PhoneProblem.LETTERS
    try:
        number = phonenumbers.parse(visible, _REGION)
    except phonenumbers.NumberParseException:
        return PhoneProblem.NOT_A_NUMBER
    return _problem(number) or phonenumbers.format_number(
        number, phonenumbers.PhoneNumberFormat.E164
    )


def _problem(number: "PhoneNumber") -> PhoneProblem | None:
    import phonenumbers  # noqa: PLC0415 - as above

    if number.extension:
        return PhoneProblem.EXTENSION
    # The library lets a South African mobile number be a digit or more short.
    short = (
        number.country_code == _SOUTH_AFRICA
        and len(phonenumbers.national_significant_number(number)) != _NATIONAL_DIGITS
    )
    if short or not phonenumbers.is_valid_number(number):
        return PhoneProblem.NOT_A_NUMBER
    types = phonenumbers.PhoneNumberType
    if phonenumbers.number_type(number) not in (types.MOBILE, types.FIXED_LINE_OR_MOBILE):
        return PhoneProblem.NOT_A_MOBILE
    return None


def mask(e164: str) -> str:
    """`+27*****4567`: enough to tell two numbers apart, and all that may be shown."""
    return f"{e164[:3]}*****{e164[-4:]}" if len(e164) >= 10 else "*" * len(e164)


def number_hash(e164: str) -> str:
    """What is kept of a number to notice that it changed."""
    return hashlib.sha256(e164.encode()).hexdigest()
