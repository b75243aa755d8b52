"""The quota: slots of one endpoint, evenly spaced, for everyone on this database."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine

from leaseup_dagster.database.quota import PACE, SharedQuota

CREATE, LIST = "POST /paymentrequest", "GET /paymentrequest"
INTERVAL = 60 / (600 * PACE)


@pytest.fixture
def quota(engine: Engine) -> SharedQuota:
    return SharedQuota(engine, requests_per_minute=600)


def test_the_first_need_not_wait_and_each_next_waits_its_turn(quota: SharedQuota) -> None:
    waits = [quota.reserve(CREATE) for _ in range(5)]

    assert waits[0] == 0
    for place, wait in enumerate(waits):
        assert wait == pytest.approx(place * INTERVAL, abs=INTERVAL)
    assert waits == sorted(waits)


def test_a_slot_that_was_given_back_is_taken_by_the_next(quota: SharedQuota) -> None:
    waits = [quota.reserve(CREATE) for _ in range(5)]

    quota.give_back(CREATE)
    quota.give_back(CREATE)

    assert quota.reserve(CREATE) == pytest.approx(waits[3], abs=INTERVAL)


def test_more_cannot_be_given_back_than_was_taken(quota: SharedQuota) -> None:
    quota.reserve(CREATE)
    for _ in range(3):
        quota.give_back(CREATE)

    waits = [quota.reserve(CREATE) for _ in range(3)]

    assert waits == sorted(waits)
    assert waits[2] == pytest.approx(2 * INTERVAL, abs=INTERVAL)


def test_each_endpoint_has_its_own_queue(quota: SharedQuota) -> None:
    for _ in range(5):
        quota.reserve(CREATE)

    assert quota.reserve(LIST) == 0


def test_two_workers_share_one_queue(engine: Engine) -> None:
    workers = [SharedQuota(engine, 600), SharedQuota(engine, 600)]

    with ThreadPoolExecutor(8) as pool:
        waits = sorted(pool.map(lambda n: workers[n % 2].reserve(CREATE), range(40)))

    assert waits[-1] == pytest.approx(39 * INTERVAL, abs=1)


def test_after_a_pause_everybody_waits(engine: Engine, quota: SharedQuota) -> None:
    quota.pause(CREATE, 30)

    assert SharedQuota(engine, 600).reserve(CREATE) == pytest.approx(30, abs=1)


def test_a_short_pause_does_not_shorten_a_longer_wait(quota: SharedQuota) -> None:
    quota.pause(CREATE, 30)
    quota.pause(CREATE, 1)

    assert quota.reserve(CREATE) == pytest.approx(30, abs=1)


def test_a_limit_that_was_told_is_followed_by_all(engine: Engine) -> None:
    one, another = (SharedQuota(engine, 600, follow=True) for _ in range(2))
    one.reserve(CREATE)

    one.learn(CREATE, 60)
    waits = [another.reserve(CREATE) for _ in range(5)]

    assert waits[-1] - waits[0] == pytest.approx(4 * 60 / (60 * PACE), abs=0.5)
    assert [round(another.reserve(LIST)) for _ in range(2)] == [0, 0]


def test_a_lower_limit_also_holds_for_the_slots_that_are_out_already(engine: Engine) -> None:
    quota = SharedQuota(engine, 600, follow=True)
    waits = [quota.reserve(CREATE) for _ in range(10)]

    quota.learn(CREATE, 300)

    # Eleven requests take as long as eleven at the lower limit do, with the ten that are too close.
    assert quota.reserve(CREATE) == pytest.approx(10 * 60 / (300 * PACE), abs=0.2)
    assert waits[-1] == pytest.approx(9 * INTERVAL, abs=0.2)


def test_a_lower_limit_makes_no_pause_longer_than_its_slots(engine: Engine) -> None:
    quota = SharedQuota(engine, 600, follow=True)
    quota.pause(CREATE, 30)

    quota.learn(CREATE, 60)

    assert quota.reserve(CREATE) < 30 + 3 * 10


def test_a_limit_that_was_set_is_kept_whatever_is_told(engine: Engine) -> None:
    follower = SharedQuota(engine, 600, follow=True)
    follower.learn(CREATE, 6)
    set_by_a_person = SharedQuota(engine, 600)
    set_by_a_person.learn(CREATE, 1)

    waits = [set_by_a_person.reserve(CREATE) for _ in range(5)]

    assert waits[-1] - waits[0] == pytest.approx(4 * INTERVAL, abs=INTERVAL)


def test_a_limit_that_changes_again_is_followed_again(engine: Engine) -> None:
    quota = SharedQuota(engine, 600, follow=True)
    for limit in (60, 600):
        quota.learn(CREATE, limit)
        waits = [quota.reserve(CREATE) for _ in range(3)]

        assert waits[-1] - waits[0] == pytest.approx(2 * 60 / (limit * PACE), abs=0.2)
