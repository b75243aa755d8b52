"""One batch of months, and the wait for those without an answer: what an op calls.

Both leave the truth in the ledger and read it back, so that what is reported is what stands,
whoever did it and in whichever attempt.
"""

import time
from collections.abc import Callable, Sequence
from datetime import date

from leaseup_dagster.batching import slices
from leaseup_dagster.invoicing import rehearsal
from leaseup_dagster.invoicing.creation.pending import Pending
from leaseup_dagster.invoicing.creation.protocol import InvoiceCreation, Kind, Outcome
from leaseup_dagster.invoicing.keys import Compared, InvoiceBatch, LedgerKey
from leaseup_dagster.invoicing.ledger import queries, transitions
from leaseup_dagster.invoicing.ledger.queries import Unanswered
from leaseup_dagster.invoicing.planning import planner
from leaseup_dagster.settings import TaskSettings
from leaseup_dagster.stopping import in_flight

POLL_SECONDS = 1.0


def cut(
    keys: Sequence[LedgerKey], as_of: date, batch_size: int, compared: Compared
) -> list[InvoiceBatch]:
    """Batches of `batch_size`, or larger ones where they would be too many steps."""
    return [InvoiceBatch(as_of, place, part, compared) for place, part in slices(keys, batch_size)]


def bill(
    batch: InvoiceBatch,
    creation: InvoiceCreation,
    tasks: TaskSettings,
    seconds: float,
    on_progress: Callable[[int], None] | None = None,
) -> list[Outcome]:
    """Bill what is still open of the batch, `tasks.batch_size` at once, for so many seconds;
    `on_progress` is called now and then with the number of months done.

    Twice as many workers: while requests are out, others claim and record.
    """
    if seconds <= 0:
        return [Outcome(key, Kind.STOPPED) for key in batch.keys]
    hold = batch.compared.hold or creation.recording.why_not(
        creation.engine, rehearsal.invoiced(batch.as_of)
    )
    if hold:
        with creation.engine.connect() as connection:
            planned = queries.planned_keys(connection, batch.keys)
        return [Outcome(key, Kind.HELD, hold) for key in planned]
    give_up_at = time.monotonic() + seconds
    with creation.engine.connect() as connection:
        unanswered = queries.unanswered(connection, batch.keys, creation.settle_seconds)
    found = _look_up(unanswered, creation, tasks, seconds)
    left = give_up_at - time.monotonic()
    return _together(found, _bill(batch.keys, batch.as_of, creation, tasks, left, on_progress))


def _look_up(
    unanswered: Sequence[Unanswered],
    creation: InvoiceCreation,
    tasks: TaskSettings,
    seconds: float,
) -> list[Outcome]:
    return in_flight(
        creation.look_up,
        unanswered,
        width=tasks.batch_size,
        stop=creation.paystack.stop,
        seconds=seconds,
    )


def _bill(
    keys: Sequence[LedgerKey],
    as_of: date,
    creation: InvoiceCreation,
    tasks: TaskSettings,
    seconds: float,
    on_progress: Callable[[int], None] | None = None,
) -> list[Outcome]:
    """What is planned of them, by the rules as they are now."""
    with creation.engine.begin() as connection:
        planner.plan_again(connection, keys, as_of, tasks)
        transitions.refuse_without_customer(connection, keys)
        planned = queries.planned_keys(connection, keys)
    pending = Pending(planned, lambda left: _still_planned(creation, left))

    def bill_next(_: int) -> Outcome | None:
        key = pending.next()
        outcome = creation.bill(key) if key else None
        if outcome and outcome.kind is Kind.CLAIMED_ELSEWHERE:
            pending.another_run_has(outcome.key)
        return outcome

    outcomes = in_flight(
        bill_next,
        range(len(planned)),
        width=2 * tasks.batch_size,
        stop=creation.paystack.stop,
        seconds=seconds,
        # What is not planned any more was done before.
        on_progress=on_progress and (lambda done: on_progress(len(keys) - len(planned) + done)),
    )
    creation.paystack.give_up_slots_to_create()
    known = {outcome.key for outcome in outcomes if outcome}
    others = [
        Outcome(key, Kind.CLAIMED_ELSEWHERE)
        for key in pending.claimed_elsewhere
        if key not in known
    ]
    return [*filter(None, outcomes), *others]


def _still_planned(creation: InvoiceCreation, keys: Sequence[LedgerKey]) -> list[LedgerKey]:
    with creation.engine.connect() as connection:
        return queries.planned_keys(connection, keys)


def _together(found: Sequence[Outcome], billed: Sequence[Outcome]) -> list[Outcome]:
    """One outcome a month: the later one."""
    later = {outcome.key for outcome in billed}
    return [*(outcome for outcome in found if outcome.key not in later), *billed]


def settle(
    creation: InvoiceCreation,
    as_of: date,
    tasks: TaskSettings,
    seconds: float,
    only: Sequence[LedgerKey] | None = None,
) -> list[Outcome]:
    """Wait, for at most so many seconds, until rows without an answer can be decided.

    Each is searched for once more when it has settled; what is not at Paystack is planned again,
    and sent if it still is to be billed.
    """
    give_up_at = time.monotonic() + seconds
    outcomes: list[Outcome] = []
    decided: set[LedgerKey] = set()
    while not creation.paystack.stop.is_set():
        with creation.engine.connect() as connection:
            waiting = queries.unanswered(connection, only, creation.settle_seconds)
        waiting = [attempt for attempt in waiting if attempt.key not in decided]
        if not waiting:
            break
        soonest = min(attempt.settles_in for attempt in waiting)
        if time.monotonic() + soonest > give_up_at:
            break
        # Not all of it at once: another run may be getting its answer just now.
        creation.paystack.stop.wait(min(soonest, POLL_SECONDS))
        settled = [attempt for attempt in waiting if attempt.settles_in == 0]
        decided.update(attempt.key for attempt in settled)
        found = _look_up(settled, creation, tasks, give_up_at - time.monotonic())
        absent = [outcome.key for outcome in found if outcome.kind is Kind.PLANNED_AGAIN]
        left = give_up_at - time.monotonic()
        billed = _bill(absent, as_of, creation, tasks, left) if absent else []
        outcomes += _together(found, billed)
    return outcomes
