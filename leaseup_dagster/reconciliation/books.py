"""SQL: what our books hold of Paystack's payment requests. Questions only."""

from collections.abc import Mapping

from sqlalchemy import Connection, Row, select, text, tuple_

from leaseup_dagster.database.ledgers import invoice_ledger as ledger
from leaseup_dagster.invoicing import forgotten
from leaseup_dagster.invoicing.keys import LedgerKey
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
    SELECT {_INVOICE} FROM leaseup_dagster.invoice_ledger AS ledger
    JOIN invoice ON invoice.id = ledger.invoice_id AND invoice."paystackId" = ledger.request_code
    WHERE ledger.reference = ANY (CAST(:references AS text[]))
      AND ledger.request_code = ANY (CAST(:codes AS text[]))
    """
)

_BY_CODE = text(
    f"""SELECT {_INVOICE} FROM invoice WHERE "paystackId" = ANY (CAST(:codes AS text[]))"""
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


def held(connection: Connection, references: Mapping[str, str]) -> dict[str, Held]:
    """The invoice that points at each request code; `references` is each code's own."""
    values = {"references": list(references.values()), "codes": list(references)}
    found = {row.code: _held(row) for row in connection.execute(_BY_LEDGER, values)}
    left = [code for code in references if code not in found]
    if left:
        found |= {row.code: _held(row) for row in connection.execute(_BY_CODE, {"codes": left})}
    return found


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
    return known | forgotten.resolve(connection, unknown)


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


def _held(row: Row[tuple[object, ...]]) -> Held:
    key = LedgerKey(row.due_date, row.lease_id) if row.lease_id and row.due_date else None
    return Held(row.id, row.status, row.cents, key)
