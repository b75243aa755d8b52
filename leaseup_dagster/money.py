"""Money: rands as LeaseUp stores them, cents everywhere else. Pure.

LeaseUp keeps rands in `double precision` columns. They become an integer number of cents
once, here or in the planning statement, and never go back to floats for arithmetic.
"""

import math
from decimal import ROUND_HALF_UP, Decimal


def cents_from_rands(rands: float) -> int:
    """Whole cents, rounded half up.

    Read at 15 significant digits, as PostgreSQL does when it casts a double to numeric, so
    that the planning statement and this function can never differ by a cent.

    Raises ValueError for NaN and infinities.
    """
    if not math.isfinite(rands):
        raise ValueError("not an amount of money: NaN or infinite")
    cents = Decimal(format(rands, ".15g")) * 100
    return int(cents.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def rands_from_cents(cents: int) -> float:
    """What LeaseUp's money columns and `lineItems` hold for this number of cents."""
    return cents / 100


def decimal_rands(cents: int) -> str:
    """As every spreadsheet sums them: `8500.00`."""
    return f"{Decimal(cents) / 100:.2f}"


def format_rands(cents: int) -> str:
    """As South Africans write it, in plain ASCII: `R8 500.00`.

    ASCII because a no-break space would make a text message half as long again
    for the same price.
    """
    return f"R{Decimal(cents) / 100:,.2f}".replace(",", " ")
