"""The ways in which a request and a commit fail: one list for the whole matrix."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

from leaseup_dagster.sandbox.faults import Fault
from tests.faults.postgres_proxy import Moment
from tests.faults.recovery import ALL_RECOVERIES, Recovery
from tests.faults.world import World

Known = Literal["lost", "not processed", "refused", "key", "done"]
"""What the caller can conclude: nothing; the request was not processed; it will never be accepted
as it is; no request will be, because of the API key; it was processed."""


@dataclass(frozen=True)
class RequestFailure:
    """One way in which a request fails. `accepted`: the provider processed it, if `late` only
    after the caller had timed out. `silent`: no answer comes before the time-out."""

    name: str
    new_fault: Callable[[], Fault]
    known: Known
    accepted: bool = False
    late: bool = False
    silent: bool = False

    def __str__(self) -> str:
        return self.name


def _status(code: int, *, accepted: bool = False, html: bool = False) -> RequestFailure:
    when = "after" if accepted else "before"
    name = f"{code}{' in HTML' if html else ''}, {when} it was accepted"
    return RequestFailure(
        name, lambda: Fault.status(code, accepted=accepted, html=html), "lost", accepted=accepted
    )


LOST = [
    RequestFailure("connection closed before it was accepted", Fault.drop_before_accepting, "lost"),
    RequestFailure(
        "connection reset before it was accepted",
        lambda: Fault.drop_before_accepting(reset=True),
        "lost",
    ),
    RequestFailure(
        "accepted, connection closed", Fault.drop_after_accepting, "lost", accepted=True
    ),
    RequestFailure(
        "accepted, connection reset",
        lambda: Fault.drop_after_accepting(reset=True),
        "lost",
        accepted=True,
    ),
    RequestFailure(
        "accepted, cut within the answer", Fault.cut_within_the_answer, "lost", accepted=True
    ),
    RequestFailure("silence, never accepted", Fault.hang_before_accepting, "lost", silent=True),
    RequestFailure(
        "silence, accepted after our time-out",
        Fault.hang_before_accepting,
        "lost",
        accepted=True,
        late=True,
        silent=True,
    ),
    RequestFailure(
        "accepted, then silence", Fault.hang_after_accepting, "lost", accepted=True, silent=True
    ),
    _status(500),
    _status(500, accepted=True),
    _status(502, html=True),
    _status(502, accepted=True, html=True),
    _status(503),
    _status(504, accepted=True),
    RequestFailure("408", lambda: Fault.status(408), "lost"),
]
"""There is no answer: whether the request was processed is unknown."""

GARBLED = [
    RequestFailure("200 with status false", Fault.status_false, "lost", accepted=True),
    RequestFailure(
        'status "success" in place of true',
        lambda: Fault.envelope(status="success"),
        "lost",
        accepted=True,
    ),
    RequestFailure("200 in HTML", Fault.success_in_html, "lost", accepted=True),
    RequestFailure("malformed JSON", Fault.truncated, "lost", accepted=True),
    RequestFailure("200 without data", lambda: Fault.envelope(data=None), "lost", accepted=True),
    RequestFailure(
        "fields that nobody knows", lambda: Fault.with_fields(surprise=[1]), "done", accepted=True
    ),
]
"""Paystack's answer is unusual. Only the last one can be understood."""

NOT_PROCESSED = [
    RequestFailure("429", lambda: Fault.rate_limit(x_ratelimit_reset="0"), "not processed"),
]

REFUSED = [
    RequestFailure(str(code), lambda code=code: Fault.status(code), "refused")  # type: ignore[misc]
    for code in (400, 403, 404, 422)
]

KEY_REJECTED = [RequestFailure("401", lambda: Fault.status(401), "key")]


@dataclass(frozen=True)
class CommitFailure:
    """One way in which a commit fails: with an SQLSTATE, or because the connection is cut before
    or after it. `for_all`: every connection is cut and no new one accepted."""

    name: str
    sqlstate: str = ""
    moment: Literal["before", "after"] | None = None
    for_all: bool = False

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Commit:
    """A commit of the protocol. `pattern` matches its statements in the proxy; `row` is a row
    change that only it makes, as (table, event, condition), where there is one."""

    name: str
    pattern: str
    row: tuple[str, str, str] | None = None

    def __str__(self) -> str:
        return self.name

    def fail_with(self, world: World, failure: CommitFailure) -> None:
        """Let this commit fail once."""
        if failure.moment is not None:
            also = world.proxy.down if failure.for_all else lambda: None
            world.proxy.cut(self.pattern, failure.moment, also=also)
        else:
            assert self.row is not None
            world.fail_statement(*self.row, failure.sqlstate)

    def crash(self, world: World, moment: Moment) -> None:
        """Let the run's process die at this commit."""
        world.proxy.cut(self.pattern, moment, also=world.crash)


_CUT_BEFORE = CommitFailure("connection cut before it", moment="before")
_CUT_AFTER = CommitFailure("done, connection cut before the answer", moment="after")
_AWAY = [
    CommitFailure("database restarts before it", moment="before", for_all=True),
    CommitFailure("done, database restarts", moment="after", for_all=True),
]
# The code treats these alike: the statement failed, and the connection is still open.
_SQL_ERRORS = [
    CommitFailure("deadlock", "40P01"),
    CommitFailure("read-only", "25006"),
    CommitFailure("disk full", "53100"),
]


def commit_cells(commits: Sequence[Commit]) -> list[tuple[Commit, CommitFailure, Recovery]]:
    """Every commit with every failure. A cut connection has a cell for each recovery; the rarer
    failures have one, with the recoveries in rotation."""
    cells: list[tuple[Commit, CommitFailure, Recovery]] = []
    for number, commit in enumerate(commits):
        rotated = ALL_RECOVERIES[number % 3 :] + ALL_RECOVERIES[: number % 3]
        cells += product([commit], [_CUT_BEFORE, _CUT_AFTER], ALL_RECOVERIES)
        cells += [(commit, away, how) for away, how in zip(_AWAY, rotated, strict=False)]
        if commit.row is not None:
            cells.append((commit, _SQL_ERRORS[number % 3], rotated[2]))
    return cells


def failures_named(*names: str) -> list[RequestFailure]:
    """Request failures by their names."""
    known = {one.name: one for one in (*LOST, *GARBLED, *NOT_PROCESSED, *REFUSED, *KEY_REJECTED)}
    return [known[name] for name in names]


def with_one_recovery_each(
    failures: Sequence[RequestFailure],
) -> list[tuple[RequestFailure, Recovery]]:
    """Each failure with one recovery, with the recoveries in rotation."""
    return [(one, ALL_RECOVERIES[number % 3]) for number, one in enumerate(failures)]


def commits_without_cells(world: World, commits: Sequence[Commit]) -> list[str]:
    """What was committed since the last `heal` and matches none of `commits`."""
    known = [commit.pattern for commit in commits] + ["request_quota", "SHOW|pg_catalog"]
    return [
        sql
        for sql in world.proxy.commits
        if re.search("INSERT|UPDATE|DELETE", sql)
        and not any(re.search(pattern, sql, re.S) for pattern in known)
    ]
