"""What can happen in a random history: what breaks during a run, by name, and what is edited."""

from collections.abc import Callable
from datetime import date

from leaseup_dagster.sandbox.faults import Fault
from tests.faults.vocabulary import GARBLED, KEY_REJECTED, LOST, NOT_PROCESSED, REFUSED
from tests.faults.wire import Moment
from tests.faults.world import (
    ARCHIVE,
    CREATE,
    CREATE_CUSTOMER,
    FETCH,
    FETCH_CUSTOMER,
    LIST,
    LIST_TEXTS,
    SEND,
    VERIFY,
    World,
)

Disturbance = Callable[[World], None]
_QUICK = [b for b in (*LOST, *GARBLED, *NOT_PROCESSED) if not b.silent and b.known != "done"]
_ANY_COMMIT = "INSERT|UPDATE|DELETE"
MOMENTS: tuple[Moment, ...] = ("before", "after")
_AWAY = "database restarts", "process dies", "connection cut"


def _at_paystack(endpoint: str, fault: Callable[[], Fault], times: int | None) -> Disturbance:
    return lambda world: void(world.paystack.faults.on(endpoint, fault(), times=times))


def _at_twilio(endpoint: str, fault: Callable[[], Fault], times: int | None) -> Disturbance:
    return lambda world: void(world.twilio.faults.on(endpoint, fault(), times=times))


def void(_: object) -> None: ...


def _at_commit(what: str, number: int, moment: Moment) -> Disturbance:
    def arm(world: World) -> None:
        act = {
            "database restarts": world.wire.down,
            "process dies": world.crash,
            "connection cut": lambda: None,
        }[what]
        world.wire.cut(_ANY_COMMIT, moment, also=act, skip=number - 1)

    return arm


def _late(world: World) -> None:
    """Accepted after our time-out: when the world becomes healthy."""
    world.accept_late(CREATE)


def _requests(endpoint: str, often: int) -> dict[str, tuple[Disturbance, int]]:
    """By name; and how often each is tried, beside the others."""
    found = {}
    at = _at_twilio if "Messages" in endpoint else _at_paystack
    kinds = _QUICK if at is _at_twilio else [*_QUICK, *REFUSED, *KEY_REJECTED]
    for broken in kinds:
        found[f"{endpoint}: {broken}"] = at(endpoint, broken.make, 1), often
        found[f"{endpoint}, always: {broken}"] = at(endpoint, broken.make, None), often
    return found


def _commits(most: int) -> dict[str, tuple[Disturbance, int]]:
    return {
        f"{what} {moment} commit {number}": (_at_commit(what, number, moment), 2)
        for number in range(1, most + 1)
        for moment in MOMENTS
        for what in _AWAY
    }


MORNINGS: dict[str, tuple[Disturbance, int]] = {
    "silence, accepted after our time-out": (_late, 6),
    **_requests(CREATE, 4),
    **_requests(LIST, 1),
    **_requests(FETCH_CUSTOMER, 1),
    **_requests(FETCH, 1),
    **_requests(CREATE_CUSTOMER, 1),
    **_commits(14),
}
REMINDERS: dict[str, tuple[Disturbance, int]] = {
    **_requests(VERIFY, 2),
    **_requests(FETCH, 1),
    **_requests(SEND, 3),
    **_requests(LIST_TEXTS, 1),
    **_commits(8),
}
NIGHTS: dict[str, tuple[Disturbance, int]] = {
    **_requests(LIST, 1),
    **_requests(FETCH, 2),
    **_requests(ARCHIVE, 2),
    **_commits(8),
}


def names(known: dict[str, tuple[Disturbance, int]]) -> list[str]:
    """Each as often as it is to be tried."""
    return [name for name, (_, often) in known.items() for _ in range(often)]


STARTS = [date(2026, 1, 31), date(2026, 1, 15), date(2026, 2, 1), date(2024, 2, 29)]
EDITS: list[tuple[str, object]] = [
    ("rent", 9000.0),
    ("rent", 8500.5),
    ("rent", 0.4),
    *(("endDate", days) for days in (-3, 20, 45, 100, None)),
    *(("startDate", start) for start in STARTS),
    ("automaticInvoice", False),
    ("automaticInvoice", True),
    ("status", "INACTIVE"),
    ("status", "ACTIVE"),
]
"""Ends are days from the day on which the lease is edited."""
