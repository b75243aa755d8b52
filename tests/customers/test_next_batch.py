"""Who is sent next, and when to wait: decided from what is known, at any time of day."""

import json
from datetime import datetime, timedelta, timezone

import pytest

from leaseup_dagster.customers.next_batch import (
    CHEAP_BYTES,
    POLL_INTERVAL,
    REST,
    FailedBatch,
    Pause,
    TenantTable,
    Waiting,
    goes_well,
    nothing_new,
    pause,
    run_key,
)

NOW = datetime(2026, 11, 24, 5, 1, tzinfo=timezone.utc)
LARGE = TenantTable(bytes=CHEAP_BYTES + 1, changes=7)
NOBODY = Waiting(total=0, refused=0, resting=0, tenant_ids=())
FAILED = FailedBatch(NOW - timedelta(minutes=5), ("a", "b"))


def paused(waiting: Waiting, table: TenantTable = LARGE, *failed: FailedBatch) -> Pause:
    decided = pause(waiting, failed, table, NOW)
    assert decided is not None
    return decided


def test_tenants_who_wait_are_sent() -> None:
    assert pause(Waiting(2, 0, 0, ("a", "b")), [], LARGE, NOW) is None


def test_the_same_tenants_have_one_key_until_they_have_rested_or_changed() -> None:
    key = run_key(["a"], "fingerprint", NOW)

    assert key == run_key(["a"], "fingerprint", NOW + timedelta(seconds=30))
    assert key != run_key(["a"], "fingerprint", NOW + REST)
    assert key != run_key(["a"], "another", NOW)


def test_with_nobody_to_send_it_says_that_all_have_a_customer() -> None:
    assert paused(NOBODY).why == "Every tenant has a Paystack customer."


def test_the_refused_are_counted_and_not_sent() -> None:
    assert "who were refused: 3" in paused(Waiting(0, 3, 0, ())).why


def test_who_failed_rests_and_is_told_when_it_ends() -> None:
    why = paused(Waiting(2, 0, 2, ()), LARGE, FAILED).why

    assert why.startswith("Tenants that could not be registered: 2;")
    assert "07:11 SAST" in why


def test_nobody_waits_for_the_few_who_rest() -> None:
    assert pause(Waiting(3, 0, 2, ("c",)), [FAILED], LARGE, NOW) is None


def test_when_very_many_rest_all_wait() -> None:
    """Paystack is down, or the key is wrong: the next five hundred would fail as well."""
    assert "All wait until 07:11" in paused(Waiting(900, 0, 500, ("c",)), LARGE, FAILED).why


@pytest.mark.parametrize(("left", "well"), [(10, False), (5, False), (4, True), (0, True)])
def test_a_wave_goes_well_when_more_than_half_of_it_is_done(left: int, well: bool) -> None:
    assert goes_well(10, left) is well


def test_a_large_table_is_not_read_again_while_nobody_writes_to_it() -> None:
    cursor = paused(NOBODY).cursor

    assert nothing_new(cursor, LARGE, NOW + timedelta(seconds=30)) == paused(NOBODY).why


@pytest.mark.parametrize(
    ("table", "later"),
    [
        pytest.param(TenantTable(LARGE.bytes, 8), timedelta(), id="it was written to"),
        pytest.param(LARGE, POLL_INTERVAL, id="the last check is long ago"),
        pytest.param(TenantTable(CHEAP_BYTES, 7), timedelta(), id="it is small"),
        pytest.param(TenantTable(LARGE.bytes, None), timedelta(), id="nobody counts"),
    ],
)
def test_the_table_is_read_when(table: TenantTable, later: timedelta) -> None:
    cursor = paused(NOBODY, LARGE).cursor

    assert nothing_new(cursor, table, NOW + later) is None


def test_it_is_read_again_when_the_rest_of_the_first_is_over() -> None:
    soon = FailedBatch(NOW - REST + timedelta(minutes=1), ("a",))
    cursor = paused(Waiting(1, 0, 1, ()), LARGE, soon).cursor

    assert nothing_new(cursor, LARGE, NOW + timedelta(seconds=30))
    assert nothing_new(cursor, LARGE, NOW + timedelta(minutes=1)) is None


@pytest.mark.parametrize("cursor", [None, "", "tenant-7", "[]", json.dumps({"changes": 7})])
def test_a_cursor_that_nobody_can_read_is_no_cursor(cursor: str | None) -> None:
    assert nothing_new(cursor, LARGE, NOW) is None
