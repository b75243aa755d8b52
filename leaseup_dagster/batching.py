"""What a run has in hand, cut into its steps. Pure."""

import math
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")

MAX_STEPS = 10
"""Steps a run is cut into at most. Each costs Dagster about as much time as a provider takes for a
request, and a row in the UI."""


def slices(items: Sequence[Item], size: int) -> list[tuple[Item, ...]]:
    """Slices of `size`, or of a multiple of it where there would be more than `MAX_STEPS`."""
    step = size * max(1, math.ceil(len(items) / (size * MAX_STEPS)))
    return [tuple(items[first : first + step]) for first in range(0, len(items), step)]
