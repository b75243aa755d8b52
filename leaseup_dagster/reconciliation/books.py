"""SQL: what our books hold of Paystack's payment requests."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, select, text, tuple_, update

from leaseup_dagster.database.ledgers import invoice_ledger as ledger
from leaseup_dagster.invoicing.creation import orphans
from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.invoicing.ledger.transitions import line_items
from leaseup_dagster.invoicing.payments import records
from leaseup_dagster.invoicing.payments.receipts import Recorded
from leaseup_dagster.paystack.models import PaymentRequest
from leaseup_dagster.reconciliation.decisions import MonthInvoice
from leaseup_dagster.reconciliation.differences import Held

_INVOICE = """
    invoice.id, invoice."paystackId" AS code, invoice.status::text AS status,
    invoice."leaseId" AS lease_id, invoice."dueDate" AS due_date,
    -- Beyond a billion rand, NaN included, an amount differs from any.
    CASE WHEN invoice."dueAmount" BETWEEN 0 AND 1e9
         THEN round(invoice."dueAmount"::numeric * 100)::bigint ELSE -1 END AS cents
"""

# By the ledger's unique reference and the invoice's id: LeaseUp has no index on "paystackId".
_BY_LEDGER = text(
    f"""
    SELECT {_INVOICE}, ledger.archived_at IS NOT NULL AS archived
    FROM leaseup_dagster.invoice_ledger AS ledger
    JOIN invoice ON invoice.id = ledger.invoice_id AND invoice."paystackId" = ledger.request_code
    WHERE ledger.reference = ANY (CAST(:references AS text[]))
      AND ledger.request_code = ANY (CAST(:codes AS text[]))
    """
)

_BY_CODE = text(
    f"""SELECT {_INVOICE}, false AS archived FROM invoice
    WHERE "paystackId" = ANY (CAST(:codes AS text[]))"""
)

_OF_MONTH = text(
    """
    SELECT invoice.id, invoice.status::text AS status, invoice."paystackId" AS code,
           array_remove(array_agg(transaction."referenceId"), NULL) AS payments
    FROM invoice LEFT JOIN transaction ON transaction."invoiceId" = invoice.id
    WHERE invoice."leaseId" = :lease_id AND invoice."dueDate" = :due_date
      AND invoice.category = 'RENT'
    GROUP BY invoice.id ORDER BY invoice."createdAt", invoice.id
    """
)


# Never `updatedAt`: LeaseUp tells a landlord again of a paid invoice that was touched.
_COMPLETE = text(
    f"""
    UPDATE invoice SET
        "offlineReference" = coalesce(nullif("offlineReference", ''), found.offline_reference),
        "lineItems" = CASE WHEN "lineItems" @? '$[*] ? (exists(@.quantity) && exists(@.rate))'
                           THEN "lineItems" ELSE {line_items("ledger.amount_cents")} END
    FROM unnest(CAST(:references AS text[]), CAST(:codes AS text[]), CAST(:offline AS text[]))
        AS found (reference, request_code, offline_reference)
    JOIN leaseup_dagster.invoice_ledger AS ledger USING (reference, request_code)
    WHERE invoice.id = ledger.invoice_id AND invoice."paystackId" = ledger.request_code
      AND ((coalesce("offlineReference", '') = '' AND found.offline_reference <> '')
           OR NOT coalesce("lineItems" @? '$[*] ? (exists(@.quantity) && exists(@.rate))', false))
    """
)


def complete(
    connection: Connection, references: Mapping[str, str], requests: Mapping[str, PaymentRequest]
) -> int:
    """What an earlier release left out of the invoices that we made: the offline reference, and
    what LeaseUp's page shows of a line item. How many were completed."""
    values = {
        "references": list(references.values()),
        "codes": list(references),
        "offline": [requests[code].offline_reference for code in references],
    }
    return int(connection.execute(_COMPLETE, values).rowcount)


def held(
    connection: Connection, references: Mapping[str, str], requests: Mapping[str, PaymentRequest]
) -> dict[str, Held]:
    """The invoice that points at each request code; `references` is each code's own."""
    values = {"references": list(references.values()), "codes": list(references)}
    rows = {row.code: row for row in connection.execute(_BY_LEDGER, values)}
    left = [code for code in references if code not in rows]
    if left:
        rows |= {row.code: row for row in connection.execute(_BY_CODE, {"codes": left})}
    paid = {row.id for code, row in rows.items() if requests[code].paid}
    recorded = records.recorded_on(connection, paid) if paid else {}
    return {
        code: _held(row, requests[code], recorded.get(row.id, [])) for code, row in rows.items()
    }


def months(
    connection: Connection, references: Mapping[str, str], requests: Mapping[str, PaymentRequest]
) -> dict[str, LedgerKey]:
    """The month of each reference: as the ledger has it, or as the request itself says."""
    rows = connection.execute(
        select(ledger.c.reference, ledger.c.due_date, ledger.c.lease_id).where(
            ledger.c.reference.in_(set(references.values()))
        )
    )
    known = {row.reference: LedgerKey(row.due_date, row.lease_id) for row in rows}
    unknown = [requests[code] for code, reference in references.items() if reference not in known]
    return known | orphans.resolve(connection, unknown)


def invoices_of(connection: Connection, key: LedgerKey) -> list[MonthInvoice]:
    """Every rent invoice of the month, in whatever status."""
    values = {"lease_id": key.lease_id, "due_date": key.due_date}
    return [
        MonthInvoice(row.id, row.status, row.code, frozenset(row.payments))
        for row in connection.execute(_OF_MONTH, values)
    ]


def state_of(connection: Connection, key: LedgerKey) -> str | None:
    """How the month stands in the ledger."""
    row = tuple_(ledger.c.lease_id, ledger.c.due_date) == (key.lease_id, key.due_date)
    return connection.execute(select(ledger.c.state).where(row)).scalar()


def remember_archived(connection: Connection, codes: Sequence[str]) -> None:
    """Nobody can pay these requests any more: the nights to come need not ask."""
    connection.execute(
        update(ledger)
        .where(ledger.c.request_code.in_(codes), ledger.c.archived_at.is_(None))
        .values(archived_at=func.now(), updated_at=func.now())
    )


def _held(row: Row[Any], request: PaymentRequest, recorded: Sequence[Recorded]) -> Held:
    key = LedgerKey(row.due_date, row.lease_id) if row.lease_id and row.due_date else None
    names = {request.request_code, request.offline_reference} - {""}
    at_paystack = [r.amount_cents for r in recorded if r.by_us or r.reference in names]
    otherwise = sum(r.amount_cents for r in recorded) - sum(at_paystack)
    return Held(row.id, row.status, row.cents, key, sum(at_paystack), otherwise, row.archived)
