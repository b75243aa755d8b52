"""SQL: a payment request of ours that was found at Paystack becomes the invoice it was made for.

First its month is *expected*: the ledger's row, made if there is none, is `requesting`, as if the
attempt that made the request had just been claimed. Then it is recorded as any other.
"""

import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import Connection, select, text

from leaseup_dagster.database.leaseup import lease
from leaseup_dagster.database.ledgers import invoice_ledger as ledger_table
from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.invoicing.ledger import queries, transitions
from leaseup_dagster.invoicing.planning.eligibility import (
    bindings,
    eligibilities,
    reference_sql,
    statement,
)
from leaseup_dagster.invoicing.planning.shards import is_chosen
from leaseup_dagster.invoicing.rules.references import MOST_BILLINGS, billing_of
from leaseup_dagster.paystack.models import PaymentRequest
from leaseup_dagster.settings import TaskSettings


@dataclass(frozen=True)
class FoundRequest:
    """A payment request of ours at Paystack, and the month it was made for."""

    key: LedgerKey
    reference: str
    request_code: str
    amount_cents: int
    currency: str
    customer_id: int | None
    made_at: datetime | None
    description: str = field(repr=False)

    @classmethod
    def of(cls, request: PaymentRequest, key: LedgerKey, reference: str) -> "FoundRequest":
        """What the ledger needs to know of a payment request of this month."""
        return cls(
            key=key,
            reference=reference,
            request_code=request.request_code,
            amount_cents=request.amount_cents,
            currency=request.currency,
            customer_id=request.customer_id,
            made_at=request.created_at,
            description=request.description,
        )


# Whatever the rules say of the month now: it was billed. But never beside another invoice of it.
_CUSTOMER = """nullif(btrim(tenant."paystackCustomerId", E' \\t\\r\\n'), '')"""
_EXPECT = f"""
, expected AS (
    INSERT INTO leaseup_dagster.invoice_ledger AS ledger (
        lease_id, due_date, billing, reference, tenant_id, landlord_id, amount_cents, currency,
        description, split_code, recurring_billable_id, state, customer_code, attempted_at)
    SELECT lease_id, due_date, found.billing, found.reference, tenant_id, landlord_id,
           found.amount_cents, found.currency, coalesce(nullif(found.description, ''),
           eligibility.description), split_code, recurring_billable_id, 'requesting',
           coalesce(found.customer_code, {_CUSTOMER}),
           coalesce(found.made_at, now())
    FROM jsonb_to_recordset(CAST(:found AS jsonb)) AS found(
        lease_id text, due_date date, billing integer, reference text, request_code text,
        amount_cents bigint, currency text, customer_code text, made_at timestamptz,
        description text)
    JOIN eligibility USING (lease_id, due_date)
    JOIN tenant ON tenant.id = eligibility.tenant_id
    WHERE landlord_id IS NOT NULL
      AND coalesce(found.customer_code, {_CUSTOMER}) IS NOT NULL
      AND coalesce(reason, '') NOT IN ('already_invoiced', 'billed_another_amount', 'in_progress',
                                       'invoiced_nearby', 'near_a_billed_month')
      AND NOT EXISTS (SELECT FROM invoice WHERE "paystackId" = found.request_code)
    ORDER BY due_date, lease_id
    ON CONFLICT (lease_id, due_date) DO UPDATE SET
        billing = excluded.billing, reference = excluded.reference,
        tenant_id = excluded.tenant_id, landlord_id = excluded.landlord_id,
        amount_cents = excluded.amount_cents, currency = excluded.currency,
        description = excluded.description, customer_code = excluded.customer_code,
        attempted_at = excluded.attempted_at, request_code = NULL, invoice_id = NULL,
        state = 'requesting', error = NULL, updated_at = now()
    WHERE ledger.state IN ('planned', 'refused', 'cancelled')
    RETURNING lease_id, due_date
)
SELECT due_date, lease_id FROM expected
"""

_MONTHS_FOUND = """
    SELECT lease_id, due_date FROM jsonb_to_recordset(CAST(:found AS jsonb))
        AS found(lease_id text, due_date date)
"""

# Only where Paystack's list does not give the metadata back: every lease that could have rent due
# on the day is tried.
_MONTHS_OF = f"""
    SELECT wanted.reference, wanted.due_date, lease.id AS lease_id
    FROM jsonb_to_recordset(CAST(:wanted AS jsonb)) AS wanted(reference text, due_date date)
    JOIN lease ON date_part('day', wanted.due_date) = least(
        date_part('day', lease."startDate"),
        date_part('day', date_trunc('month', wanted.due_date) + interval '1 month - 1 day'))
    JOIN generate_series(1, {MOST_BILLINGS}) AS billing
      ON {reference_sql("lease.id", "wanted.due_date", "billing")} = wanted.reference
"""


def expect(
    connection: Connection, found: Sequence[FoundRequest], tasks: TaskSettings
) -> set[LedgerKey]:
    """Claim their months, as `requesting`; those of them that were not, and may not be billed
    again.

    A month that has an invoice, or whose lease has no tenant or unit to bill, is left alone.
    """
    if not found:
        return set()
    expecting = statement(eligibilities(_MONTHS_FOUND, is_chosen) + _EXPECT)
    rows = {request.key: _row(request) for request in reversed(found)}
    values = bindings(date.max, tasks) | {
        "days_ahead": 0,
        "found": json.dumps(list(rows.values())),
        "lease_ids": [key.lease_id for key in rows],
    }
    return {LedgerKey(*row) for row in connection.execute(expecting, values)}


def record_found(
    connection: Connection, key: LedgerKey, reference: str, found: PaymentRequest
) -> bool:
    """The invoice of an expected month, from what was fetched at Paystack; False: somebody was
    faster. One that a person archived stays cancelled."""
    existing = queries.invoice_of_request(connection, found.request_code)
    if existing:
        return transitions.point_at_invoice(
            connection, key, reference, invoice_id=existing, request_code=found.request_code
        )
    return transitions.record(
        connection,
        key,
        reference,
        invoice_id=str(uuid.uuid4()),
        request_code=found.request_code,
        offline_reference=found.offline_reference,
        amount_cents=found.amount_cents,
        adopted=True,
        status="CANCELLED" if found.archived and not found.paid else "PENDING",
    )


def known(connection: Connection, references: Iterable[str]) -> set[str]:
    """Those references that the ledger knows to be at Paystack, or perhaps there."""
    rows = connection.execute(
        select(ledger_table.c.reference).where(
            ledger_table.c.reference.in_(list(references)),
            ledger_table.c.state.in_(("requesting", "invoiced", "cancelling")),
        )
    )
    return set(rows.scalars())


def months_of(connection: Connection, wanted: dict[str, date]) -> dict[str, LedgerKey]:
    """The month of each reference, searched for among all leases; those of no lease are left out.

    `wanted` says for each reference the day its rent is due.
    """
    rows = [{"reference": r, "due_date": day.isoformat()} for r, day in wanted.items()]
    if not rows:
        return {}
    found = connection.execute(text(_MONTHS_OF), {"wanted": json.dumps(rows)})
    return {row.reference: LedgerKey(row.due_date, row.lease_id) for row in found}


def with_lease(connection: Connection, keys: Iterable[LedgerKey]) -> set[LedgerKey]:
    """Those of the months whose lease LeaseUp has."""
    asked = set(keys)
    ids = {key.lease_id for key in asked}
    leases = set(connection.execute(select(lease.c.id).where(lease.c.id.in_(ids))).scalars())
    return {key for key in asked if key.lease_id in leases}


def _row(found: FoundRequest) -> dict[str, object]:
    return {
        "lease_id": found.key.lease_id,
        "due_date": found.key.due_date.isoformat(),
        "billing": billing_of(found.key, found.reference),
        "reference": found.reference,
        "request_code": found.request_code,
        "amount_cents": found.amount_cents,
        "currency": found.currency or "ZAR",
        "customer_code": None if found.customer_id is None else str(found.customer_id),
        "made_at": found.made_at.isoformat() if found.made_at else None,
        "description": found.description,
    }
