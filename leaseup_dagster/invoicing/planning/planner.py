"""SQL: write the plan into the ledger, check it again, or only preview.

Each is one statement over all its months; nothing of the portfolio travels to Python but counts
and the leases a person should check.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from operator import attrgetter
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, Engine, TextClause, text

from leaseup_dagster.database.url import ALLOW_LONG
from leaseup_dagster.invoicing.keys import Billed, Eligibility, InvoicePlan, LedgerKey, Skipped
from leaseup_dagster.invoicing.planning.eligibility import bindings, eligibilities, statement
from leaseup_dagster.invoicing.planning.months import (
    GIVEN_MONTHS,
    NEXT_MONTHS,
    PASSED_MONTHS,
    PLANNED_MONTHS,
    key_arrays,
)
from leaseup_dagster.invoicing.planning.shards import (
    LARGE,
    WHOLE,
    Shard,
    is_chosen,
    shards,
    side_by_side,
)
from leaseup_dagster.invoicing.rules.skip_reasons import NEEDS_A_PERSON
from leaseup_dagster.settings import TaskSettings

# Used only where the portfolio is so large that its joins would go to disk.
_ALLOW_LARGE = text("SET LOCAL work_mem = '64MB'")
_ONE_PLAN_AT_A_TIME = text("SELECT pg_advisory_xact_lock(7263002)")
LISTED = 100
"""Leases named for each reason; the rest are counted."""

_LISTING = {
    "listed": LISTED,
    "needs_a_person": sorted(reason.value for reason in NEEDS_A_PERSON),
}

# What is planned follows the lease until it is sent; what was refused is tried again, and what
# was cancelled comes back when its reason is gone. What may be at Paystack is never touched.
# Planners come one after the other, so that what is new is new; if a row comes from elsewhere in
# that moment, the key refuses the statement as a whole, and it is tried again.
_WRITE = """
, fresh AS (
    INSERT INTO leaseup_dagster.invoice_ledger (
        lease_id, due_date, billing, reference, tenant_id, landlord_id, amount_cents, currency,
        description, split_code, recurring_billable_id, by_hand, state)
    SELECT lease_id, due_date, billing, reference, tenant_id, landlord_id, amount_cents, 'ZAR',
           description, split_code, recurring_billable_id, by_hand, 'planned'
    FROM eligibility WHERE reason IS NULL AND state IS NULL ORDER BY lease_id, due_date
),
again AS (
    UPDATE leaseup_dagster.invoice_ledger AS ledger SET
        tenant_id = eligibility.tenant_id, landlord_id = eligibility.landlord_id,
        amount_cents = eligibility.amount_cents, description = eligibility.description,
        split_code = eligibility.split_code,
        recurring_billable_id = eligibility.recurring_billable_id,
        by_hand = eligibility.by_hand, billing = eligibility.billing, reference =
        eligibility.reference, request_code = NULL, invoice_id = NULL, adopted = false,
        state = 'planned', error = NULL, updated_at = now()
    FROM eligibility
    WHERE eligibility.reason IS NULL AND eligibility.state IS NOT NULL
      AND ledger.lease_id = eligibility.lease_id AND ledger.due_date = eligibility.due_date
      AND ledger.state IN ('planned', 'refused', 'cancelled')
      AND (ledger.state, ledger.tenant_id, ledger.landlord_id, ledger.amount_cents,
           ledger.description, ledger.split_code, ledger.recurring_billable_id, ledger.by_hand)
          IS DISTINCT FROM
          ('planned', eligibility.tenant_id, eligibility.landlord_id, eligibility.amount_cents,
           eligibility.description, eligibility.split_code, eligibility.recurring_billable_id,
           eligibility.by_hand)
),
withdrawn AS (
    UPDATE leaseup_dagster.invoice_ledger AS ledger
    SET state = 'cancelled', error = eligibility.reason, updated_at = now()
    FROM eligibility
    WHERE eligibility.reason IS NOT NULL AND ledger.state IN ('planned', 'refused')
      AND ledger.lease_id = eligibility.lease_id AND ledger.due_date = eligibility.due_date
)
"""

_SUMMARY = """
SELECT reason, count(*) AS leases,
       count(*) FILTER (WHERE reason IS NULL AND coalesce(state, 'cancelled') = 'cancelled') AS new,
       count(*) FILTER (WHERE automatic) AS automatic,
       coalesce(sum(amount_cents), 0)::bigint AS cents,
       count(*) FILTER (WHERE reason IS NULL AND split_code IS NULL) AS without_split,
       -- Not in order: sorting all leases for the sake of a hundred would take a second.
       (array_agg(lease_id)
           FILTER (WHERE reason IS NULL AND split_code IS NULL))[1 : :listed] AS split_examples,
       (array_agg(concat(due_date, E'\\t', lease_id, E'\\t', note))
           FILTER (WHERE reason = ANY (CAST(:needs_a_person AS text[]))))[1 : :listed] AS examples
FROM eligibility GROUP BY reason ORDER BY reason NULLS FIRST
"""

_COUNT = "SELECT count(*) FROM eligibility"

# Each is the first few of very many, which need not be sorted as a whole.
_FIRST = """
, would_bill AS (
    SELECT due_date, lease_id, landlord_id, reason, amount_cents, note FROM eligibility
    WHERE reason IS NULL ORDER BY due_date, lease_id LIMIT :limit
),
would_skip AS (
    SELECT due_date, lease_id, landlord_id, reason, amount_cents, note FROM eligibility
    WHERE reason IS NOT NULL
    ORDER BY reason = ANY (CAST(:needs_a_person AS text[])) DESC, due_date, lease_id LIMIT :limit
),
of_landlord AS (
    SELECT landlord_id, count(*) AS invoices, coalesce(sum(amount_cents), 0)::bigint AS cents
    FROM eligibility WHERE reason IS NULL GROUP BY landlord_id
)
"""

# Counts, sums and the first few of one reading: two would be of two moments, and take twice as
# long.
_CONSIDERED = f"""
SELECT 'count' AS about, to_jsonb(summary) AS found FROM ({_SUMMARY}) AS summary
UNION ALL SELECT 'bill', to_jsonb(would_bill) FROM would_bill
UNION ALL SELECT 'skip', to_jsonb(would_skip) FROM would_skip
UNION ALL SELECT 'landlord', to_jsonb(of_landlord) FROM of_landlord
"""


@contextmanager
def planned(
    engine: Engine,
    as_of: date,
    tasks: TaskSettings,
    bill_from: date | None = None,
    *,
    large: int = LARGE,
) -> Iterator[InvoicePlan]:
    """Plan every due month, withdraw what is no longer due, and say who was skipped and why.

    With `bill_from`, also the months that fell due from that day on and were missed. The plan is
    kept when the block is left, and cancelled when it is left by an exception. From `large` leases
    on it is planned in shards, and each of them is kept by itself: should the database go away in
    that moment, the next plan makes the rest.
    """
    with engine.begin() as guard:
        guard.execute(_ONE_PLAN_AT_A_TIME)
        parts = shards(guard, large=large)
        with ExitStack() as stack:
            # The first shard is planned by the worker that holds the lock.
            workers = [guard, *(stack.enter_context(engine.begin()) for _ in parts[1:])]
            plans = side_by_side(
                lambda worker, shard: _plan(worker, as_of, tasks, bill_from, shard), workers, parts
            )
            yield InvoicePlan.together(plans, LISTED)


def _plan(
    connection: Connection, as_of: date, tasks: TaskSettings, bill_from: date | None, shard: Shard
) -> InvoicePlan:
    connection.execute(ALLOW_LONG)
    connection.execute(_ALLOW_LARGE)
    planning = statement(eligibilities(_months(bill_from), shard.has) + _WRITE + _SUMMARY)
    values = _bindings(as_of, tasks, bill_from) | shard.bindings
    return _summary(connection, planning, values, as_of)


@dataclass(frozen=True)
class Preview:
    """What `planned` would find, and the first months that would be billed and skipped."""

    plan: InvoicePlan
    bill: list[Eligibility]
    skip: list[Eligibility]
    landlords: dict[str, Billed]
    """Of all months that would be billed, not only of the first."""


def preview(
    engine: Engine,
    as_of: date,
    tasks: TaskSettings,
    limit: int,
    bill_from: date | None = None,
    *,
    large: int = LARGE,
) -> Preview:
    """Read once, in the shards that `planned` writes in; writes nothing. First of the skipped
    months come those that a person should check."""
    reading = engine.execution_options(postgresql_readonly=True)
    with ExitStack() as stack:
        first = stack.enter_context(reading.connect())
        parts = shards(first, large=large)
        workers = [first, *(stack.enter_context(reading.connect()) for _ in parts[1:])]
        seen = side_by_side(
            lambda worker, shard: evaluate(worker, as_of, tasks, limit, bill_from, shard),
            workers,
            parts,
        )
    ahead = attrgetter("key")
    needs_a_person = {reason.value for reason in NEEDS_A_PERSON}
    landlords: dict[str, Billed] = {}
    for who, billed in (one for part in seen for one in part.landlords.items()):
        landlords[who] = landlords.get(who, Billed()) + billed
    return Preview(
        InvoicePlan.together([part.plan for part in seen], LISTED),
        sorted((one for part in seen for one in part.bill), key=ahead)[:limit],
        sorted(
            (one for part in seen for one in part.skip),
            key=lambda one: (one.reason not in needs_a_person, one.key),
        )[:limit],
        landlords,
    )


def evaluate(
    connection: Connection,
    as_of: date,
    tasks: TaskSettings,
    limit: int,
    bill_from: date | None = None,
    shard: Shard = WHOLE,
) -> Preview:
    """The same of one shard, or of all leases."""
    connection.execute(ALLOW_LONG)
    connection.execute(_ALLOW_LARGE)
    asked = statement(eligibilities(_months(bill_from), shard.has) + _FIRST + _CONSIDERED)
    values = _bindings(as_of, tasks, bill_from) | shard.bindings | _LISTING | {"limit": limit}
    found: dict[str, list[Any]] = {"count": [], "bill": [], "skip": [], "landlord": []}
    for row in connection.execute(asked, values):
        found[row.about].append(SimpleNamespace(**row.found))
    # Rows of a union come in no order.
    counts = sorted(found["count"], key=lambda row: row.reason or "")
    bill, skip = (
        [
            Eligibility(
                LedgerKey(date.fromisoformat(row.due_date), row.lease_id),
                row.reason,
                row.amount_cents,
                row.note,
                row.landlord_id or "",
            )
            for row in found[about]
        ]
        for about in ("bill", "skip")
    )
    landlords = {row.landlord_id: Billed(row.invoices, row.cents) for row in found["landlord"]}
    return Preview(_plan_of(counts, as_of), bill, skip, landlords)


def plan_one(
    connection: Connection, key: LedgerKey, as_of: date, tasks: TaskSettings, *, rebill: bool
) -> InvoicePlan:
    """Plan one month because a person asked: whatever the window and the automatic switch say."""
    planning = statement(eligibilities(GIVEN_MONTHS, is_chosen) + _WRITE + _SUMMARY)
    connection.execute(ALLOW_LONG)
    connection.execute(_ONE_PLAN_AT_A_TIME)
    values = bindings(as_of, tasks, by_hand=True, rebill=rebill)
    values |= key_arrays([key])
    return replace(_summary(connection, planning, values, as_of), only=key)


def plan_again(
    connection: Connection, keys: Sequence[LedgerKey], as_of: date, tasks: TaskSettings
) -> None:
    """Right before sending: rents, tenants and ends that changed since the plan take effect."""
    connection.execute(ALLOW_LONG)
    planning = statement(eligibilities(PLANNED_MONTHS, is_chosen) + _WRITE + _COUNT)
    connection.execute(planning, bindings(as_of, tasks) | key_arrays(keys))


def _months(bill_from: date | None) -> str:
    """Without `bill_from` the passed months cost nothing: they are not in the statement."""
    return NEXT_MONTHS if bill_from is None else f"{NEXT_MONTHS} UNION {PASSED_MONTHS}"


def _bindings(as_of: date, tasks: TaskSettings, bill_from: date | None) -> dict[str, Any]:
    passed = {} if bill_from is None else {"bill_from": bill_from}
    return bindings(as_of, tasks) | passed


def _summary(
    connection: Connection, asked: TextClause, values: dict[str, Any], as_of: date
) -> InvoicePlan:
    return _plan_of(connection.execute(asked, values | _LISTING).all(), as_of)


def _plan_of(rows: Sequence[Any], as_of: date) -> InvoicePlan:
    billed = next((row for row in rows if row.reason is None), None)
    skipped = tuple(
        _skipped(row.reason, row.leases, row.examples or ())
        for row in rows
        if row.reason is not None
    )
    return InvoicePlan(
        as_of=as_of,
        automatic_leases=sum(row.automatic for row in rows),
        to_bill=billed.leases if billed else 0,
        new=billed.new if billed else 0,
        total_cents=billed.cents if billed else 0,
        without_split=tuple(sorted(billed.split_examples or ())) if billed else (),
        without_split_count=billed.without_split if billed else 0,
        skipped=skipped,
    )


def _skipped(reason: str, leases: int, examples: Sequence[str]) -> Skipped:
    found = sorted(_example(example) for example in examples)
    return Skipped(reason, leases, tuple(key for key, _ in found), tuple(note for _, note in found))


def _example(listed: str) -> tuple[LedgerKey, str]:
    due_date, lease_id, note = listed.split("\t")
    return LedgerKey(date.fromisoformat(due_date), lease_id), note
