"""What a run works on, cut into its steps, and how far it is. Pure."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")
Group = TypeVar("Group", bound=Sequence[object])

MAX_STEPS = 4
"""Steps a run is cut into at most: as many as one machine executes at once. Nothing is sent for a
quarter of a second between two of them."""

MANY = 400
LONG_STEP = 500
"""Of more than `MANY` items, a step takes at least so many: nearly a minute of Paystack's live
quota, beside which the quarter of a second does not show."""


@dataclass(frozen=True)
class Place:
    """The `number`-th batch `of` so many, with `before` items in those that come first."""

    number: int
    of: int
    before: int
    total: int

    @property
    def mapping_key(self) -> str:
        """What Dagster calls the step of this batch."""
        return f"batch_{self.number:03}"

    def progress(self, handled: int, seconds: float) -> str:
        """`Batch 3 of 10: 30 of 100 done, 9.1 a second, about 8 s left`, when `handled` items of
        this batch took so many seconds."""
        said = how_far(self.before + handled, self.total, handled, seconds)
        return f"Batch {self.number} of {self.of}: {said}"


def how_far(done: int, total: int, handled: int, seconds: float) -> str:
    """`30 of 100 done, 9.1 a second, about 8 s left`, when the last `handled` of those that are
    done took so many seconds."""
    said = f"{done} of {total} done"
    if not handled or seconds <= 0:
        return said
    rate = handled / seconds
    left = (total - done) / rate
    return f"{said}, {rate:.1f} a second" + (f", about {_duration(left)} left" if left else "")


def _duration(seconds: float) -> str:
    return f"{math.ceil(seconds)} s" if seconds < 120 else f"{math.ceil(seconds / 60)} min"


def slices(items: Sequence[Item], size: int) -> list[tuple[Place, tuple[Item, ...]]]:
    """Slices of `size`, or longer ones where there would be more than `MAX_STEPS` or of many."""
    cut = slices_of_groups([(item,) for item in items], size)
    return [(place, tuple(itertools.chain(*groups))) for place, groups in cut]


def slices_of_groups(groups: Sequence[Group], size: int) -> list[tuple[Place, tuple[Group, ...]]]:
    """The same, of items that belong together: a group is in one slice as a whole, which may get
    longer by it."""
    total = sum(map(len, groups))
    step = size * max(1, math.ceil(total / (size * MAX_STEPS)))
    parts = whole(groups, max(step, LONG_STEP) if total > MANY else step)
    before = itertools.accumulate((sum(map(len, part)) for part in parts), initial=0)
    return [
        (Place(number, len(parts), before=first, total=total), part)
        for number, (first, part) in enumerate(zip(before, parts, strict=False), start=1)
    ]


def whole(groups: Sequence[Group], size: int) -> list[tuple[Group, ...]]:
    """The groups in their order, so many together that they have `size` items, or a few more."""
    parts: list[list[Group]] = []
    length = size
    for group in groups:
        if length >= size:
            parts.append([])
            length = 0
        parts[-1].append(group)
        length += len(group)
    return [tuple(part) for part in parts]
