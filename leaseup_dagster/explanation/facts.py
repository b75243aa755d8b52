"""SQL: everything the ledgers and LeaseUp's tables hold about one lease. Reads only.

Ids, days, amounts and masked numbers; no names, addresses or words of a text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    Select,
    Text,
    case,
    cast,
    func,
    select,
    text,
    union,
)

from leaseup_dagster.database.leaseup import invoice, transaction
from leaseup_dagster.database.ledgers import invoice_ledger as ledger
from leaseup_dagster.invoicing.payments import amounts

Rows = Sequence[Row[Any]]


@dataclass(frozen=True)
class Facts:
    """`lease` is None where LeaseUp has no such lease any more and the ledger still knows it.

    The other fields are rows of the statement of the same name.
    """

    lease: Row[Any] | None
    tenants: Rows
    months: Rows
    history: Rows
    invoices: Rows
    payments: Rows
    questions: Rows
    reminders: Rows
    reminder_history: Rows


_LEASE = """
    SELECT lease."startDate" AS start_date, lease."endDate" AS end_date, lease.rent,
           lease.status::text AS status, lease."automaticInvoice" AS automatic,
           lease."unitId" AS unit_id, property.id AS property_id,
           property."landlordId" AS landlord_id
    FROM lease LEFT JOIN unit ON unit.id = lease."unitId"
    LEFT JOIN property ON property.id = unit."propertyId" WHERE lease.id = :lease_id
"""

_TENANTS = """
    SELECT tenant.id, nullif(tenant."paystackCustomerId", '') AS customer
    FROM tenant JOIN tenant_lease ON tenant_lease."tenantId" = tenant.id
    WHERE tenant_lease."leaseId" = :lease_id GROUP BY tenant.id ORDER BY tenant."createdAt", 1
"""

_MONTHS = """
    SELECT * FROM leaseup_dagster.invoice_ledger WHERE lease_id = :lease_id ORDER BY due_date
"""

_HISTORY = """
    SELECT history.* FROM leaseup_dagster.invoice_ledger AS ledger
    JOIN leaseup_dagster.invoice_history AS history
      ON history.due_date = ledger.due_date AND history.lease_id = ledger.lease_id
    WHERE ledger.lease_id = :lease_id ORDER BY history.due_date, history.id
"""

# Ids first: what is asked with OR, or again for each row, would read the table as often.
_OF_LEASE = """
    of_lease AS MATERIALIZED (
        -- By name: others of its columns are none of our business, nor in the role's rights.
        SELECT id, "invoiceNumber", category, status, "dueDate", "paystackId", "tenantId",
               "dueAmount"
        FROM invoice WHERE id IN (
            SELECT id FROM invoice WHERE "leaseId" = :lease_id
            UNION
            SELECT invoice_id FROM leaseup_dagster.invoice_ledger WHERE lease_id = :lease_id
        )
    )
"""

_PAYMENTS = f"""
    WITH {_OF_LEASE}
    SELECT "invoiceId" AS invoice_id, method::text AS method,
           -- what a person typed for cash may be a name
           CASE WHEN method::text = 'PAYSTACK' THEN "referenceId" END AS reference,
           CASE WHEN "amountPaid" BETWEEN -1e9 AND 1e9
                THEN round("amountPaid"::numeric * 100)::bigint END AS cents,
           "createdAt" AT TIME ZONE 'UTC' AS at
    FROM transaction
    WHERE "leaseId" = :lease_id OR "invoiceId" IN (SELECT id FROM of_lease)
    ORDER BY "createdAt", id
"""

_QUESTIONS = f"""
    WITH {_OF_LEASE}
    SELECT * FROM leaseup_dagster.payment_question
    WHERE invoice_id IN (SELECT id FROM of_lease) ORDER BY asked_at, invoice_id
"""

_REMINDERS = f"""
    WITH {_OF_LEASE}
    SELECT invoice_id, tenant_id, step, as_of, state, outcome, number, message_id, code, error,
           attempted_at, delivery_status, run_id
    FROM leaseup_dagster.reminder_ledger
    WHERE invoice_id IN (SELECT id FROM of_lease) ORDER BY as_of, invoice_id, step, tenant_id
"""

_REMINDER_HISTORY = f"""
    WITH {_OF_LEASE}
    SELECT * FROM leaseup_dagster.reminder_history
    WHERE invoice_id IN (SELECT id FROM of_lease) ORDER BY id
"""


def gather(connection: Connection, lease_id: str) -> Facts:
    """Everything the database has about one lease. Raises UnknownLease."""

    def rows(sql: str) -> Rows:
        return connection.execute(text(sql), {"lease_id": lease_id}).all()

    return Facts(
        lease=next(iter(rows(_LEASE)), None),
        tenants=rows(_TENANTS),
        months=rows(_MONTHS),
        history=rows(_HISTORY),
        invoices=connection.execute(_invoices(lease_id)).all(),
        payments=rows(_PAYMENTS),
        questions=rows(_QUESTIONS),
        reminders=rows(_REMINDERS),
        reminder_history=rows(_REMINDER_HISTORY),
    )


def _invoices(lease_id: str) -> Select[Any]:
    """The lease's invoices, and what was paid on each, as the reminders count it."""
    of_lease = union(
        select(invoice.c.id).where(invoice.c.leaseId == lease_id),
        select(ledger.c.invoice_id).where(ledger.c.lease_id == lease_id),
    ).subquery()
    some = select(invoice).where(invoice.c.id.in_(select(of_lease.c.id))).cte("of_lease")
    # NaN and what lies beyond a billion rand is no amount.
    paid = amounts.received(some, transaction.c.amountPaid.between(-1e9, 1e9), by=(some.c.id,))
    amount = case(
        (some.c.dueAmount.between(0, 1e9), cast(amounts.in_cents(some.c.dueAmount), BigInteger))
    )
    return (
        select(
            some.c.id,
            some.c.invoiceNumber.label("number"),
            cast(some.c.category, Text).label("category"),
            cast(some.c.status, Text).label("status"),
            some.c.dueDate.label("due_date"),
            some.c.paystackId.label("request_code"),
            some.c.tenantId.label("tenant_id"),
            amount.label("amount_cents"),
            cast(func.coalesce(paid.c.cents, 0), BigInteger).label("paid_cents"),
        )
        .outerjoin(paid, paid.c.id == some.c.id)
        .order_by(some.c.dueDate, some.c.invoiceNumber)
    )
