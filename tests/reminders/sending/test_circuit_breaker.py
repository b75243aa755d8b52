"""How many texts an outage can cost."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from leaseup_dagster.reminders.sending.circuit_breaker import CircuitBreaker
from leaseup_dagster.sms.sender import AccountProblem, NotSent, NumberRefused, Sent, Unknown

LOST, SENT = Unknown("no answer"), Sent("SM1")
OTHER, LISTED = NumberRefused("no", "29999", listed=False), NumberRefused("stop", "21610")


def breaker(history: list[tuple[str, str]] | None = None) -> CircuitBreaker:
    return CircuitBreaker(history or [], threading.Event())


def after(*outcomes: object) -> CircuitBreaker:
    used = breaker()
    for outcome in outcomes:
        if used.begin():
            used.end(outcome)
    return used


@pytest.mark.parametrize(
    "outcomes",
    [
        [LOST, LOST, SENT, LOST, LOST],
        [LOST, LOST, LISTED, LOST],
        [OTHER, OTHER, SENT, OTHER],
        [OTHER, OTHER, LISTED, OTHER],
        [OTHER, OTHER, NumberRefused("no", "28888", listed=False), OTHER],
        [LISTED] * 9,
        [NotSent("refused")] * 9,
        [None] * 9,
    ],
)
def test_it_holds(outcomes: list[object]) -> None:
    assert after(*outcomes).tripped is None


@pytest.mark.parametrize(
    ("outcomes", "why"),
    [
        ([AccountProblem("check SMS_API_KEY")], "check SMS_API_KEY"),
        ([LOST, LOST, LOST], "3 texts in a row had no answer: no answer"),
        ([LOST, NotSent("refused"), LOST, LOST], "3 texts in a row"),
        ([OTHER, OTHER, OTHER], "3 numbers in a row refused alike"),
    ],
)
def test_it_blows(outcomes: list[object], why: str) -> None:
    used = after(*outcomes)

    assert used.tripped is not None
    assert why in used.tripped
    assert not used.begin()


def test_only_refusals_that_blew_it_are_named() -> None:
    assert after(OTHER, OTHER, OTHER).repeated_code == "29999"
    assert after(OTHER, OTHER, AccountProblem("x")).repeated_code is None


@pytest.mark.parametrize(
    "history",
    [[("unknown", "")] * 3, [("unlisted", "1")] * 3, [("sent", ""), ("account", "")]],
)
def test_what_earlier_batches_of_the_run_saw_counts(history: list[tuple[str, str]]) -> None:
    assert breaker(history).tripped


def test_an_outage_leaves_three_texts_in_doubt_whatever_the_width() -> None:
    used, sent = breaker([("unknown", "")]), []

    def text(_: int) -> None:
        if used.begin():
            sent.append(1)
            used.end(LOST)

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(text, range(200)))

    assert len(sent) == 2


def test_told_to_stop_nobody_waits_for_a_turn() -> None:
    stop = threading.Event()
    used = CircuitBreaker([], stop)
    for _ in range(3):
        assert used.begin()

    stop.set()

    assert not used.begin()
    assert used.tripped is None
