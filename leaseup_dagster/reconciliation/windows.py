"""One week of Paystack's books against ours: what an op calls. A week is the most in memory."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeVar

from sqlalchemy import Engine

from leaseup_dagster.as_of import midnight
from leaseup_dagster.invoicing.creation.orphans import some_at_a_time
from leaseup_dagster.invoicing.rules.references import reference_in
from leaseup_dagster.paystack.errors import NotSent, PaystackError
from leaseup_dagster.paystack.models import PaymentRequest
from leaseup_dagster.pickled import pickled_as
from leaseup_dagster.reconciliation import books
from leaseup_dagster.reconciliation.differences import Difference, compare
from leaseup_dagster.reconciliation.repairs import Finding, Kind, Repairs
from leaseup_dagster.retries import waits
from leaseup_dagster.stopping import in_flight

Item = TypeVar("Item")
Result = TypeVar("Result")


@pickled_as("leaseup_dagster.reconciliation.weeks.Week")
@dataclass(frozen=True)
class Window:
    """The days one step examines: those on which payment requests were made, newest first."""

    days: tuple[date, ...]


@pickled_as("leaseup_dagster.reconciliation.weeks.WeekReport")
@dataclass(frozen=True)
class WindowReport:
    """What a week's comparison came to. `failed` says why for each day that was not compared;
    days in `left` were not begun: asked to stop, or out of time."""

    days: int = 0
    listed: int = 0
    ours: int = 0
    findings: tuple[Finding, ...] = ()
    failed: tuple[tuple[date, str], ...] = ()
    left: tuple[date, ...] = ()


@dataclass(frozen=True)
class _Day:
    day: date
    listed: int = 0
    ours: int = 0
    differences: tuple[Difference, ...] = ()
    failed: str = ""
    left: bool = False


def cut(since: date, until: date) -> list[Window]:
    """Windows of a week from `until` back to `since`, both included: what is new is examined
    first."""
    days = [until - timedelta(days=back) for back in range((until - since).days + 1)]
    return [Window(tuple(days[first : first + 7])) for first in range(0, len(days), 7)]


def reconcile(window: Window, repairs: Repairs, seconds: float) -> WindowReport:
    """List each day and repair what differs; what fails is tried again, what is left is
    reported."""
    give_up_at = time.monotonic() + seconds
    if seconds <= 0:
        return WindowReport(left=window.days)
    days = _try(
        lambda day: _compare(day, repairs), window.days, _not_read, _later, repairs, give_up_at
    )
    differences = [difference for day in days for difference in day.differences]
    found = _try(repairs.repair, differences, _not_done, _both, repairs, give_up_at)
    return WindowReport(
        days=sum(not (day.failed or day.left) for day in days),
        listed=sum(day.listed for day in days),
        ours=sum(day.ours for day in days),
        findings=tuple(finding for findings in found for finding in findings),
        failed=tuple((day.day, day.failed) for day in days if day.failed),
        left=tuple(day.day for day in days if day.left),
    )


def ask_again(
    questions: Sequence[tuple[str, str]], repairs: Repairs, seconds: float
) -> WindowReport:
    """Ask about single payment requests: (invoice, request code) of what a person was asked."""
    give_up_at = time.monotonic() + seconds
    asked = _try(
        lambda question: repairs.ask_again(*question),
        questions,
        _not_done,
        _both,
        repairs,
        give_up_at,
    )
    return WindowReport(findings=tuple(finding for findings in asked for finding in findings))


def _compare(day: date, repairs: Repairs) -> _Day:
    """One day's payment requests against our books, a page's worth at a time."""
    next_day = day + timedelta(days=1)
    listed = repairs.paystack.payment_requests_between(midnight(day), midnight(next_day))
    counted, ours, differences = 0, 0, []
    try:
        for part in some_at_a_time(listed):
            with_reference = {r.request_code: r for r in part if reference_in(r)}
            counted, ours = counted + len(part), ours + len(with_reference)
            if with_reference:
                differences += _differences(with_reference, repairs.engine)
    except NotSent:
        return _Day(day, left=True)
    except PaystackError as error:
        return _Day(day, failed=str(error))
    return _Day(day, counted, ours, tuple(differences))


def _differences(requests: dict[str, PaymentRequest], engine: Engine) -> list[Difference]:
    """`requests` by their code, each with our reference."""
    references = {code: reference_in(request) or "" for code, request in requests.items()}
    with engine.begin() as connection:
        books.complete(connection, references, requests)
        held = books.held(connection, references, requests)
        without = {code: ref for code, ref in references.items() if code not in held}
        months = books.months(connection, without, requests)
    return compare(requests, held, references, months)


def _try(
    act: Callable[[Item], Result],
    items: Sequence[Item],
    failed: Callable[[Result], bool],
    merge: Callable[[Result, Result], Result],
    repairs: Repairs,
    give_up_at: float,
) -> list[Result]:
    """`act` for all, and again for what failed: here and not by the step, whose next attempt would
    not know what this one did."""
    stop, left = repairs.paystack.stop, dict(enumerate(items))
    done: dict[int, Result] = {}
    for wait in (0.0, *waits()):
        if not left or (wait and stop.wait(wait)):
            break
        results = in_flight(
            act,
            list(left.values()),
            width=repairs.tasks.batch_size,
            stop=stop,
            seconds=give_up_at - time.monotonic(),
        )
        for place, result in zip(left, results, strict=True):
            done[place] = merge(done[place], result) if place in done else result
        left = {place: item for place, item in left.items() if failed(done[place])}
    return [done[place] for place in sorted(done)]


def _not_read(day: _Day) -> bool:
    return bool(day.failed)


def _not_done(findings: list[Finding]) -> bool:
    return any(finding.kind is Kind.FAILED for finding in findings)


def _later(earlier: _Day, later: _Day) -> _Day:
    return later


def _both(earlier: list[Finding], later: list[Finding]) -> list[Finding]:
    """What was done before it failed was done."""
    return [finding for finding in earlier if finding.kind is not Kind.FAILED] + later
