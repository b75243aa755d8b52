"""Before a run sends, and before a step of it sends again: what Paystack has and the ledger forgot.

After a backup was restored everything made since seems due again. All of it was made after the
last payment request that the ledger remembers, so one check what is newer than that finds it. On
an ordinary day that is one request: what others made since yesterday's run.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from itertools import islice, pairwise

from sqlalchemy import Connection, Engine, func, select

from leaseup_dagster.as_of import midnight
from leaseup_dagster.database.ledgers import invoice_ledger as ledger
from leaseup_dagster.invoicing.creation import adoption
from leaseup_dagster.invoicing.creation.adoption import FoundRequest
from leaseup_dagster.invoicing.keys import Compared, LedgerKey
from leaseup_dagster.invoicing.rules.references import due_date_in, month_in, reference_in
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.paystack.errors import NotSent, PaystackError, Refused
from leaseup_dagster.paystack.models import PaymentRequest
from leaseup_dagster.settings import TaskSettings
from leaseup_dagster.stopping import in_flight

CLOCKS_DIFFER = timedelta(minutes=10)
"""Between the database's clock, which dates claims, and Paystack's, which dates. Longer also than a
run, and than Paystack may take to list a request: what one check did not see yet, a later one
does."""

BILLED_EARLY_AND_LATE = timedelta(days=45)
"""How much longer ago than `TASK_CHECK_DAYS_AHEAD` days before its due date, or before today, a
month may have been billed that still matters."""

_ONE_LISTING = 300
"""So many payment requests are listed page by page; beyond that parts of the time are listed at
once, or a run of a large day would spend its time on what the run before it made."""

_CHUNK = 100


@dataclass(frozen=True)
class Window:
    """What was made from one instant until another."""

    since: datetime
    until: datetime


def compare(
    engine: Engine, paystack: PaystackClient, tasks: TaskSettings, seconds: float
) -> Compared:
    """`remember`, and what it comes to for the run. Without an answer nothing may be sent."""
    try:
        return Compared(remembered=len(remember(engine, paystack, tasks, seconds)))
    except PaystackError as error:
        hold = f"Nothing was sent: Paystack could not be asked what it has. {error}"
        retry = not isinstance(error, NotSent | Refused)
        return Compared(hold=hold, retry=retry)


def remember(
    engine: Engine, paystack: PaystackClient, tasks: TaskSettings, seconds: float
) -> list[LedgerKey]:
    """Claim, as `requesting`, every month whose payment request the ledger no longer has.

    All in one transaction after the last page: what is half compared counts as not compared.
    Raises PaystackError if Paystack cannot be asked, or not within so many seconds.
    """
    with engine.connect() as connection:
        since = _known_until(connection, tasks)
    if since is None:  # nothing is going to be sent
        return []
    until = datetime.now(tz=timezone.utc) + CLOCKS_DIFFER
    window = Window(since, max(since, until))  # this machine's clock may be behind, too
    unknown = _unknown_in(window, engine, paystack, tasks.batch_size, seconds)
    with engine.begin() as connection:
        months = resolve(connection, unknown)
        found = [
            FoundRequest.of(request, month, reference)
            for request in unknown
            if (reference := reference_in(request)) and (month := months.get(reference))
        ]
        return sorted(adoption.expect(connection, found, tasks))


def some_at_a_time(listed: Iterable[PaymentRequest]) -> Iterator[list[PaymentRequest]]:
    """Parts small enough for one statement about each."""
    left = iter(listed)
    while part := list(islice(left, _CHUNK)):
        yield part


def resolve(connection: Connection, requests: Sequence[PaymentRequest]) -> dict[str, LedgerKey]:
    """The month of each reference; those of no lease of this LeaseUp are left out."""
    named = {reference_in(request): month_in(request) for request in requests}
    nameless = {
        reference: due_date
        for request in requests
        if (reference := reference_in(request))
        and named[reference] is None
        and (due_date := due_date_in(request))
    }
    here = adoption.with_lease(connection, (month for month in named.values() if month))
    found = {reference: month for reference, month in named.items() if reference and month in here}
    return {**found, **adoption.months_of(connection, nameless)}


def _known_until(connection: Connection, tasks: TaskSettings) -> datetime | None:
    """From when on to list; None if nothing is planned.

    The last claim that led to a request, or Paystack's date of the last one that it answered if
    that is earlier: its clock may be behind. What was adopted does not count: it may have been
    found without what was made before it.
    """
    earliest: date | None = connection.execute(
        select(func.min(ledger.c.due_date)).where(ledger.c.state == "planned")
    ).scalar()
    if earliest is None:
        return None
    last_made, last_mark = connection.execute(
        select(
            func.max(ledger.c.made_at), func.max(ledger.c.attempted_at).filter(~ledger.c.adopted)
        )
    ).one()
    longest_ago = (
        midnight(earliest) - timedelta(days=tasks.check_days_ahead) - BILLED_EARLY_AND_LATE
    )
    if last_mark is None:
        return longest_ago
    known_until: datetime = min(last_mark, last_made or last_mark) - CLOCKS_DIFFER
    return max(longest_ago, known_until)


def _unknown_in(
    window: Window, engine: Engine, paystack: PaystackClient, width: int, seconds: float
) -> list[PaymentRequest]:
    """Our payment requests in the window that the ledger does not know."""

    def unknown(part: Window, most: int | None = None) -> list[PaymentRequest] | None:
        # The newest have no end: a clock that is behind must not hide them.
        until = part.until if part.until < window.until else None
        listed = paystack.payment_requests_between(part.since, until)
        found: list[PaymentRequest] = []
        for part_of_it in some_at_a_time(islice(listed, most)):
            ours = {r: request for request in part_of_it if (r := reference_in(request))}
            with engine.connect() as connection:
                known = adoption.known(connection, ours)
            found += [request for reference, request in ours.items() if reference not in known]
        return None if most and next(listed, None) else found

    def within_time(parts: list[Window], most: int | None) -> list[list[PaymentRequest] | None]:
        return in_flight(
            lambda part: unknown(part, most),
            parts,
            width=width,
            stop=paystack.stop,
            seconds=give_up_at - time.monotonic(),
        )

    give_up_at = time.monotonic() + seconds
    (found,) = within_time([window], _ONE_LISTING)
    if found is not None:
        return found
    return [request for part in within_time(_parts(window, width), None) for request in part or ()]


def _parts(window: Window, width: int) -> list[Window]:
    """Equal ones, a day at most, and twice as many as are listed at once: some hold little."""
    length = window.until - window.since
    number = max(2 * width, -(-length // timedelta(days=1)))
    edges = [window.since + length * i / number for i in range(number)]
    return [Window(*part) for part in pairwise([*edges, window.until])]
