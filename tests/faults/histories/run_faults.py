"""The faults, by name, that can hit a run of a random history, and the edits of its leases."""

from collections.abc import Callable
from datetime import date

from leaseup_dagster.sandbox.faults import Fault
from tests.faults.failures import GARBLED, KEY_REJECTED, LOST, NOT_PROCESSED, REFUSED
from tests.faults.postgres_proxy import Moment
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

ArmFault = Callable[[World], None]
_IMMEDIATE = [
    one for one in (*LOST, *GARBLED, *NOT_PROCESSED) if not one.silent and one.known != "done"
]
_ANY_COMMIT = "INSERT|UPDATE|DELETE"
MOMENTS: tuple[Moment, ...] = ("before", "after")
_CAUSES = "database restarts", "process dies", "connection cut"


def _at_paystack(endpoint: str, fault: Callable[[], Fault], times: int | None) -> ArmFault:
    return lambda world: ignore(world.paystack.faults.on(endpoint, fault(), times=times))


def _at_twilio(endpoint: str, fault: Callable[[], Fault], times: int | None) -> ArmFault:
    return lambda world: ignore(world.twilio.faults.on(endpoint, fault(), times=times))


def ignore(_: object) -> None:
    """Drop a result."""


def _at_commit(what: str, number: int, moment: Moment) -> ArmFault:
    def arm(world: World) -> None:
        act = {
            "database restarts": world.proxy.down,
            "process dies": world.crash,
            "connection cut": lambda: None,
        }[what]
        world.proxy.cut(_ANY_COMMIT, moment, also=act, skip=number - 1)

    return arm


def _late(world: World) -> None:
    """Accepted after our time-out, at the next `heal`."""
    world.accept_late(CREATE)


def _requests(endpoint: str, weight: int) -> dict[str, tuple[ArmFault, int]]:
    """Faults of an endpoint by name, each with its weight."""
    faults = {}
    arm = _at_twilio if "Messages" in endpoint else _at_paystack
    failures = _IMMEDIATE if arm is _at_twilio else [*_IMMEDIATE, *REFUSED, *KEY_REJECTED]
    for failure in failures:
        faults[f"{endpoint}: {failure}"] = arm(endpoint, failure.new_fault, 1), weight
        faults[f"{endpoint}, always: {failure}"] = arm(endpoint, failure.new_fault, None), weight
    return faults


def _commits(most: int) -> dict[str, tuple[ArmFault, int]]:
    return {
        f"{what} {moment} commit {number}": (_at_commit(what, number, moment), 2)
        for number in range(1, most + 1)
        for moment in MOMENTS
        for what in _CAUSES
    }


INVOICING_FAULTS: dict[str, tuple[ArmFault, int]] = {
    "silence, accepted after our time-out": (_late, 6),
    **_requests(CREATE, 4),
    **_requests(LIST, 1),
    **_requests(FETCH_CUSTOMER, 1),
    **_requests(FETCH, 1),
    **_requests(CREATE_CUSTOMER, 1),
    **_commits(14),
}
REMINDER_FAULTS: dict[str, tuple[ArmFault, int]] = {
    **_requests(VERIFY, 2),
    **_requests(FETCH, 1),
    **_requests(SEND, 3),
    **_requests(LIST_TEXTS, 1),
    **_commits(8),
}
RECONCILIATION_FAULTS: dict[str, tuple[ArmFault, int]] = {
    **_requests(LIST, 1),
    **_requests(FETCH, 2),
    **_requests(ARCHIVE, 2),
    **_commits(8),
}


def names(known: dict[str, tuple[ArmFault, int]]) -> list[str]:
    """Each name as often as its weight."""
    return [name for name, (_, weight) in known.items() for _ in range(weight)]


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
"""Columns and their new values. An `endDate` is given in days from the day of the edit."""
