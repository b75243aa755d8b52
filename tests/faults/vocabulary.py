"""What can become of a request, and of a commit: one list for the whole matrix."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

from leaseup_dagster.sandbox.faults import Fault
from tests.faults.recovery import EVERY, Recovery
from tests.faults.wire import Moment
from tests.faults.world import World

Known = Literal["lost", "not processed", "refused", "key", "done"]
"""What an honest caller knows afterwards: nothing; that it was not carried out; that it never will
be as it is; that no request will be; that it was done."""


@dataclass(frozen=True)
class Broken:
    """One way in which a request breaks. `accepted`: the provider did what it was asked, perhaps
    `late`, after the caller had given up."""

    name: str
    make: Callable[[], Fault]
    known: Known
    accepted: bool = False
    late: bool = False
    silent: bool = False

    def __str__(self) -> str:
        return self.name


def _status(code: int, *, accepted: bool = False, html: bool = False) -> Broken:
    when = "after" if accepted else "before"
    name = f"{code}{' in HTML' if html else ''}, {when} it was accepted"
    return Broken(
        name, lambda: Fault.status(code, accepted=accepted, html=html), "lost", accepted=accepted
    )


LOST = [
    Broken("connection closed before it was accepted", Fault.drop_before_accepting, "lost"),
    Broken(
        "connection reset before it was accepted",
        lambda: Fault.drop_before_accepting(reset=True),
        "lost",
    ),
    Broken("accepted, connection closed", Fault.drop_after_accepting, "lost", accepted=True),
    Broken(
        "accepted, connection reset",
        lambda: Fault.drop_after_accepting(reset=True),
        "lost",
        accepted=True,
    ),
    Broken("accepted, cut within the answer", Fault.cut_within_the_answer, "lost", accepted=True),
    Broken("silence, never accepted", Fault.hang_before_accepting, "lost", silent=True),
    Broken(
        "silence, accepted after our time-out",
        Fault.hang_before_accepting,
        "lost",
        accepted=True,
        late=True,
        silent=True,
    ),
    Broken(
        "accepted, then silence", Fault.hang_after_accepting, "lost", accepted=True, silent=True
    ),
    _status(500),
    _status(500, accepted=True),
    _status(502, html=True),
    _status(502, accepted=True, html=True),
    _status(503),
    _status(504, accepted=True),
    Broken("408", lambda: Fault.status(408), "lost"),
]
"""The answer is missing: what was done cannot be known."""

GARBLED = [
    Broken("200 with status false", Fault.status_false, "lost", accepted=True),
    Broken(
        'status "success" in place of true',
        lambda: Fault.envelope(status="success"),
        "lost",
        accepted=True,
    ),
    Broken("200 in HTML", Fault.success_in_html, "lost", accepted=True),
    Broken("malformed JSON", Fault.truncated, "lost", accepted=True),
    Broken("200 without data", lambda: Fault.envelope(data=None), "lost", accepted=True),
    Broken(
        "fields that nobody knows", lambda: Fault.with_fields(surprise=[1]), "done", accepted=True
    ),
]
"""Paystack's answer is there and cannot be understood, or can it."""

NOT_PROCESSED = [
    Broken("429", lambda: Fault.rate_limit(x_ratelimit_reset="0"), "not processed"),
]

REFUSED = [
    Broken(str(code), lambda code=code: Fault.status(code), "refused")  # type: ignore[misc]
    for code in (400, 403, 404, 422)
]

KEY_REJECTED = [Broken("401", lambda: Fault.status(401), "key")]


@dataclass(frozen=True)
class Severed:
    """One way in which a commit breaks: by an SQLSTATE, or by a connection that is cut before or
    after it was done; `for_all` connections, and no new ones, where the database is away."""

    name: str
    sqlstate: str = ""
    moment: Literal["before", "after"] | None = None
    for_all: bool = False

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Commit:
    """`pattern` finds it on the wire; `row` is the change of a row that only it makes, as
    (table, event, condition), where there is one."""

    name: str
    pattern: str
    row: tuple[str, str, str] | None = None

    def __str__(self) -> str:
        return self.name

    def sever(self, world: World, severed: Severed) -> None:
        """Once; the database is all right for everybody else."""
        if severed.moment is not None:
            also = world.wire.down if severed.for_all else lambda: None
            world.wire.cut(self.pattern, severed.moment, also=also)
        else:
            assert self.row is not None
            world.error_in_the_database(*self.row, severed.sqlstate)

    def crash(self, world: World, moment: Moment) -> None:
        """The run's process is gone at this instant."""
        world.wire.cut(self.pattern, moment, also=world.crash)


_CUT_BEFORE = Severed("connection cut before it", moment="before")
_CUT_AFTER = Severed("done, connection cut before the answer", moment="after")
_AWAY = [
    Severed("database restarts before it", moment="before", for_all=True),
    Severed("done, database restarts", moment="after", for_all=True),
]
# To the code these are one: the statement failed, and the connection stands.
_FAILS = [
    Severed("deadlock", "40P01"),
    Severed("read-only", "25006"),
    Severed("disk full", "53100"),
]


def severed_with(commits: Sequence[Commit]) -> list[tuple[Commit, Severed, Recovery]]:
    """Every commit with every way of breaking it. Each way of going on follows a cut connection;
    the rarer breaks take the ways of going on one after the other."""
    cells: list[tuple[Commit, Severed, Recovery]] = []
    for number, commit in enumerate(commits):
        in_turn = EVERY[number % 3 :] + EVERY[: number % 3]
        cells += product([commit], [_CUT_BEFORE, _CUT_AFTER], EVERY)
        cells += [(commit, away, how) for away, how in zip(_AWAY, in_turn, strict=False)]
        if commit.row is not None:
            cells.append((commit, _FAILS[number % 3], in_turn[2]))
    return cells


def by_name(*names: str) -> list[Broken]:
    known = {b.name: b for b in (*LOST, *GARBLED, *NOT_PROCESSED, *REFUSED, *KEY_REJECTED)}
    return [known[name] for name in names]


def in_turn(broken: Sequence[Broken]) -> list[tuple[Broken, Recovery]]:
    """Each break with one way of going on, so that each way has its share."""
    return [(one, EVERY[number % 3]) for number, one in enumerate(broken)]
