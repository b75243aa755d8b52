"""What a run still has to bill, while another run bills the same months."""

from datetime import date

from leaseup_dagster.handover import share
from leaseup_dagster.invoicing.creation.pending import Pending
from leaseup_dagster.invoicing.keys import LedgerKey

KEYS = [LedgerKey(date(2026, 12, day), f"lease-{day}") for day in range(1, 9)]


def test_a_month_after_the_other_and_no_question_asked() -> None:
    pending = Pending(KEYS, lambda left: [])

    assert [pending.next() for _ in KEYS] == KEYS
    assert pending.next() is None
    assert pending.claimed_elsewhere == []


def test_once_another_run_has_one_what_it_has_besides_is_not_waited_for() -> None:
    pending = Pending(KEYS, lambda left: [key for key in left if key in KEYS[5:]])
    assert pending.next() == KEYS[0]
    lost = pending.next()
    assert lost

    pending.another_run_has(lost)

    assert pending.next() == KEYS[5]
    assert sorted(pending.claimed_elsewhere) == KEYS[1:5]


def test_runs_at_once_begin_apart_and_each_has_all() -> None:
    shares = [share(KEYS, index, 4) for index in range(4)]

    assert [keys[0] for keys in shares] == KEYS[::2]
    assert all(sorted(keys) == KEYS for keys in shares)


def test_a_run_alone_begins_with_the_earliest() -> None:
    assert share(KEYS, 0, 1) == KEYS
