"""A run's batches, and how far each says it is."""

import pytest

from leaseup_dagster.batching import MAX_STEPS, Place, slices, slices_of_groups


@pytest.mark.parametrize(("items", "size"), [(1, 10), (10, 10), (25, 10), (20_000, 10), (7, 100)])
def test_everything_is_in_one_batch_and_in_its_place(items: int, size: int) -> None:
    cut = slices(range(items), size)

    assert [item for _, part in cut for item in part] == list(range(items))
    assert len(cut) <= MAX_STEPS
    assert [place.before for place, _ in cut] == [part[0] for _, part in cut]
    assert {(place.of, place.total) for place, _ in cut} == {(len(cut), items)}


@pytest.mark.parametrize("sizes", [[24, 1], [1, 1, 1, 24], [1] * 30, [9, 9, 9], [3] * 500])
def test_what_belongs_together_is_in_one_batch(sizes: list[int]) -> None:
    groups = [[(group, item) for item in range(size)] for group, size in enumerate(sizes)]

    cut = slices_of_groups(groups, 10)

    assert [group for _, part in cut for group in part] == groups
    assert len(cut) <= MAX_STEPS
    lengths = [sum(map(len, part)) for _, part in cut]
    assert [place.before for place, _ in cut] == [sum(lengths[:n]) for n in range(len(cut))]


@pytest.mark.parametrize(
    ("items", "lengths"),
    [(40, [10] * 4), (400, [100] * 4), (401, [401]), (1_000, [500] * 2), (4_000, [1_000] * 4)],
)
def test_of_many_no_batch_is_short(items: int, lengths: list[int]) -> None:
    assert [len(part) for _, part in slices(range(items), 10)] == lengths


def test_nothing_is_no_batch() -> None:
    assert slices([], 10) == []


@pytest.mark.parametrize(
    ("handled", "seconds", "said"),
    [
        (10, 2.0, "Batch 3 of 10: 30 of 100 done, 5.0 a second, about 14 s left"),
        (10, 60.0, "Batch 3 of 10: 30 of 100 done, 0.2 a second, about 7 min left"),
        (80, 8.0, "Batch 3 of 10: 100 of 100 done, 10.0 a second"),
        (0, 1.0, "Batch 3 of 10: 20 of 100 done"),
        (10, 0.0, "Batch 3 of 10: 30 of 100 done"),
    ],
)
def test_progress_says_how_far_how_fast_and_how_long(
    handled: int, seconds: float, said: str
) -> None:
    assert Place(3, 10, before=20, total=100).progress(handled, seconds) == said
