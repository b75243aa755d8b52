"""How long a number is left alone after the provider refused it. Pure.

A number that is corrected is tried at once, whatever was said of the old one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

OPTED_OUT = frozenset({"21610", "OptedOut"})
"""The tenant replied STOP. START comes to the provider, not to us: the next invoice is tried."""

_CANNOT_BE_TEXTED = frozenset({"21211", "21217", "21265", "21614", "21635"})
_HALF_A_YEAR = timedelta(days=180)
_A_MONTH = timedelta(days=30)


@dataclass(frozen=True)
class Refusal:
    """What the provider said of a number, and the day the text was for."""

    number_hash: str = field(repr=False)
    code: str
    day: date


def is_left_alone(
    refusals: Iterable[Refusal], number_hash: str, due_date: date, as_of: date
) -> bool:
    """Whether the number gets no text on `as_of` about what was due on `due_date`."""
    return any(
        refusal.number_hash == number_hash and _holds(refusal, due_date, as_of)
        for refusal in refusals
    )


def _holds(refusal: Refusal, due_date: date, as_of: date) -> bool:
    if refusal.code in OPTED_OUT:
        # An invoice that fell due later is the next one.
        return refusal.day >= due_date
    span = _HALF_A_YEAR if refusal.code in _CANNOT_BE_TEXTED else _A_MONTH
    return as_of < refusal.day + span
