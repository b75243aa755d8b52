"""Batches of overdue invoices, and the texts about one of them: what the steps call."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import chain
from threading import BoundedSemaphore

from sqlalchemy.exc import DBAPIError

from leaseup_dagster.batching import slices_of_groups, whole
from leaseup_dagster.database import complaints
from leaseup_dagster.reminders import ledger, rehearsal
from leaseup_dagster.reminders.keys import (
    BatchReport,
    Kind,
    LateInvoices,
    ReminderBatch,
    ReminderDay,
    ReminderResult,
)
from leaseup_dagster.reminders.overdue import queries
from leaseup_dagster.reminders.rules.policy import ReminderPolicy
from leaseup_dagster.reminders.rules.recipients import Text, asked_about, plan
from leaseup_dagster.reminders.sending import payment_check
from leaseup_dagster.reminders.sending.circuit_breaker import FAILURE_THRESHOLD, CircuitBreaker
from leaseup_dagster.reminders.sending.payment_check import PaymentStatus
from leaseup_dagster.reminders.sending.protocol import ReminderDelivery
from leaseup_dagster.stopping import PROGRESS_SECONDS, in_flight

ROUND = 10
"""So many times what Paystack is asked at once makes a round: read from the database together."""


def cut(late: LateInvoices, day: ReminderDay, size: int) -> list[ReminderBatch]:
    """Batches of `size` invoices, or larger ones where they would be too many steps, or cut one
    person's text in two."""
    return [
        ReminderBatch.of(day.as_of, place, people, day.ignore_quiet_hours)
        for place, people in slices_of_groups(late.people, size)
    ]


def remind(
    batch: ReminderBatch,
    delivery: ReminderDelivery,
    *,
    run_id: str,
    width: int,
    seconds: float,
    on_progress: Callable[[str], None] | None = None,
) -> list[ReminderResult]:
    """Text about what is still due of the batch, a round after the other, so that when the time is
    up hardly any was asked about in vain. After so many seconds nothing new begins; `on_progress`
    is called now and then with the progress."""
    began = tell_at = time.monotonic()
    results: list[ReminderResult] = []
    handled = 0
    for people in whole(batch.people, ROUND * width):
        part = ReminderBatch.of(batch.as_of, batch.place, people, batch.ignore_quiet_hours)
        left = began + seconds - time.monotonic()
        results += _round(
            part, delivery, run_id=run_id, width=width, seconds=left, on_progress=on_progress
        )
        handled += len(part.invoice_ids)
        now = time.monotonic()
        if on_progress and now >= tell_at + PROGRESS_SECONDS:
            tell_at = now
            on_progress(batch.place.progress(handled, now - began))
    return results


def _round(
    batch: ReminderBatch,
    delivery: ReminderDelivery,
    *,
    run_id: str,
    width: int,
    seconds: float,
    on_progress: Callable[[str], None] | None,
) -> list[ReminderResult]:
    """`width` questions to Paystack at once, and `FAILURE_THRESHOLD` texts at once, one a person,
    each right after its question. What another run has texted about by now is not asked about."""
    out_of_time_at, policy = time.monotonic() + seconds, ReminderPolicy.of(delivery.rules)
    with delivery.engine.connect() as connection:
        rows = queries.reminders(connection, batch.invoice_ids, batch.as_of, policy.after_days)
        history = ledger.last_outcomes(connection, run_id, FAILURE_THRESHOLD)
    texts, skipped = plan(rows, policy, batch.as_of)
    breaker = CircuitBreaker(history, delivery.paystack.stop)
    reason = _why_not_now(batch, delivery, breaker, seconds)
    if reason is not None:
        return skipped + [result for text in texts for result in text.results(*reason)]
    asking = BoundedSemaphore(width)

    def ask_and_text(texts: Sequence[Text]) -> list[ReminderResult]:
        if breaker.tripped:
            return [result for text in texts for result in text.results(Kind.HELD, breaker.tripped)]
        with asking:
            statuses = [
                payment_check.ask(part, delivery.engine, delivery.paystack)
                for part in asked_about(texts)
            ]
        try:
            unpaid, settled = _unpaid(texts, statuses, delivery)
        except DBAPIError as error:
            why = complaints.in_words(error)
            return [result for text in texts for result in text.results(Kind.BROKEN, why)]
        heed_hours = not batch.ignore_quiet_hours
        sent = (delivery.deliver(one, run_id, breaker, heed_hours=heed_hours) for one in unpaid)
        return [*settled, *chain(*sent)]

    people = _of_each_person(texts, batch.people)
    done = in_flight(
        ask_and_text,
        people,
        # The circuit breaker lets FAILURE_THRESHOLD leave at once. Others record meanwhile, and
        # Paystack is asked about the next ones.
        width=width + 2 * FAILURE_THRESHOLD,
        stop=delivery.paystack.stop,
        seconds=out_of_time_at - time.monotonic(),
        on_progress=_in_words(on_progress, batch, len(people)),
    )
    return skipped + _taken_back(list(chain(*done)), breaker, delivery, run_id)


def _of_each_person(texts: Sequence[Text], people: Sequence[tuple[str, ...]]) -> list[list[Text]]:
    """The texts to one person, or to several who share an invoice: it is asked about once."""
    person = {invoice_id: n for n, invoices in enumerate(people) for invoice_id in invoices}
    found: dict[int, list[Text]] = {}
    for text in texts:
        found.setdefault(person[text.parts[0].invoice_id], []).append(text)
    return list(found.values())


def _in_words(
    on_progress: Callable[[str], None] | None, batch: ReminderBatch, of: int
) -> Callable[[int], None] | None:
    where = f"Batch {batch.place.number} of {batch.place.of}"
    return on_progress and (
        lambda done: on_progress(f"{where}: {done} of the next {of} tenants are done")
    )


_INFORMED = (Kind.TEXTED, Kind.IN_THE_SAME_TEXT)


def report(
    batch: ReminderBatch, delivery: ReminderDelivery, results: list[ReminderResult], run_id: str
) -> BatchReport:
    """How the batch stands: these results, what earlier attempts of this step did, and what a run
    beside this one has texted about."""
    with delivery.engine.connect() as connection:
        earlier = ledger.results(connection, run_id, batch.invoice_ids)
        paid = queries.paid_among(connection, batch.invoice_ids)
        said = {r.invoice_id for r in (*results, *earlier)} | set(paid)
        unsaid = [invoice_id for invoice_id in batch.invoice_ids if invoice_id not in said]
        beside = ledger.texted_about(connection, unsaid, batch.as_of)
    informed = {(r.invoice_id, tenant_id) for r in results for tenant_id in r.tenant_ids}
    return BatchReport(
        (
            *(r for r in results if r.invoice_id not in paid or r.kind in _INFORMED),
            *(r for r in earlier if (r.invoice_id, r.tenant_ids[0]) not in informed),
            *(ReminderResult(invoice_id, (), Kind.PAID) for invoice_id in paid),
            *(ReminderResult(invoice_id, (), Kind.ALREADY_TEXTED) for invoice_id in beside),
        )
    )


def _why_not_now(
    batch: ReminderBatch, delivery: ReminderDelivery, breaker: CircuitBreaker, seconds: float
) -> tuple[Kind, str] | None:
    """A reason that holds for the whole batch: nobody need be asked anything then."""
    if seconds <= 0 or delivery.paystack.stop.is_set():
        return Kind.LEFT, ""
    if breaker.tripped:
        return Kind.HELD, breaker.tripped
    if delivery.is_quiet() and not batch.ignore_quiet_hours:
        return Kind.QUIET_HOURS, ""
    hold = delivery.recording.why_not(delivery.engine, rehearsal.texted(batch.as_of))
    return (Kind.HELD, hold) if hold else None


def _unpaid(
    texts: Sequence[Text], statuses: Iterable[PaymentStatus], delivery: ReminderDelivery
) -> tuple[list[Text], list[ReminderResult]]:
    """The texts to send, each about what is due at this moment, and why not about the others."""
    found = {one.invoice_id: one for one in statuses}
    with delivery.engine.connect() as connection:
        cents = queries.cents_still_due(connection, list(found))
    unpaid = []
    settled: dict[tuple[str, tuple[str, ...]], ReminderResult] = {}
    for text in texts:
        parts = []
        for part in text.parts:
            one, due_cents = found[part.invoice_id], cents.get(part.invoice_id)
            if one.kind is None and due_cents is not None:
                parts.append(part.asking_for(due_cents, one.payable_cents))
            elif one.kind is Kind.PAID:  # about the invoice, whoever would have read of it
                paid = ReminderResult(part.invoice_id, (), Kind.PAID)
                settled[part.invoice_id, ()] = paid
            else:
                kind = one.kind or Kind.NO_LONGER_LATE
                settled[part.invoice_id, part.tenant_ids] = text.result(part, kind, one.why)
        if parts:
            unpaid.append(text.about(parts))
    return unpaid, list(settled.values())


def _taken_back(
    results: list[ReminderResult], breaker: CircuitBreaker, delivery: ReminderDelivery, run_id: str
) -> list[ReminderResult]:
    """Refusals that repeated for every number meant the account: those numbers are tried again."""
    code, why = breaker.repeated_code, breaker.tripped
    if code is None or why is None:
        return results
    with delivery.engine.begin() as connection:
        ledger.take_back_refusals(connection, run_id, code, why)
    return [
        replace(r, kind=Kind.ACCOUNT) if r.kind is Kind.REFUSED and r.code == code else r
        for r in results
    ]
