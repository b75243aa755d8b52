"""SQL: what must not be among invoices. Each question is one statement over everything.

What a row breaks is counted, and the first of them are named, as `lease_id due_date`.
"""

from datetime import date

from sqlalchemy import Connection, text

from leaseup_dagster.checking import IDS_SHOWN, Found, first
from leaseup_dagster.database.url import ALLOW_LONG

# Months that were ours to bill: LeaseUp's own history is not.
_TWICE = f"""
    SELECT count(*) AS total, (array_agg(id ORDER BY id))[1 : {IDS_SHOWN}] AS ids FROM (
        SELECT invoice."leaseId" || ' ' || invoice."dueDate" AS id
        FROM invoice JOIN leaseup_dagster.invoice_ledger AS ledger
          ON ledger.lease_id = invoice."leaseId" AND ledger.due_date = invoice."dueDate"
         AND ledger.state = 'invoiced'
        WHERE invoice.category = 'RENT' AND invoice.status <> 'CANCELLED'
        GROUP BY 1 HAVING count(*) > 1
    ) AS twice
"""

_UNANSWERED_FOR_A_DAY = f"""
    SELECT count(*) AS total,
           (array_agg(lease_id || ' ' || due_date ORDER BY attempted_at))[1 : {IDS_SHOWN}] AS ids
    FROM leaseup_dagster.invoice_ledger
    WHERE state = 'requesting' AND attempted_at < now() - interval '1 day'
"""

_INVOICE_GONE = f"""
    SELECT count(*) AS total,
           (array_agg(lease_id || ' ' || due_date ORDER BY due_date DESC, lease_id))
               [1 : {IDS_SHOWN}] AS ids
    FROM leaseup_dagster.invoice_ledger AS ledger
    LEFT JOIN invoice ON invoice.id = ledger.invoice_id
    WHERE ledger.state IN ('invoiced', 'cancelling')
      AND invoice."paystackId" IS DISTINCT FROM ledger.request_code
"""

_OPEN_PAST_DUE = f"""
    SELECT count(*) AS total,
           (array_agg(lease_id || ' ' || due_date ORDER BY due_date, lease_id))
               [1 : {IDS_SHOWN}] AS ids
    FROM leaseup_dagster.invoice_ledger
    WHERE state IN ('planned', 'requesting') AND due_date < :as_of
"""

# LeaseUp's task writes its rule for the lease into what it makes; its pages leave that empty, and
# the past invoices of a new lease have no payment request.
_BY_ANOTHER_BILLER = f"""
    SELECT count(*) AS total,
           (array_agg("leaseId" || ' ' || "dueDate" ORDER BY made_at DESC, "leaseId"))
               [1 : {IDS_SHOWN}] AS ids
    FROM (
        SELECT invoice."leaseId", invoice."dueDate", invoice."createdAt" AS made_at
        FROM invoice JOIN lease ON lease.id = invoice."leaseId" AND lease."automaticInvoice"
        WHERE invoice.category = 'RENT' AND invoice."recurringBillableId" IS NOT NULL
          AND invoice."paystackId" NOT LIKE 'OFFLINE-%'
          AND invoice."createdAt" > timezone('UTC', greatest(
              now() - interval '7 days',
              (SELECT min(planned_at) FROM leaseup_dagster.invoice_ledger)))
          AND NOT EXISTS (SELECT FROM leaseup_dagster.invoice_ledger AS ledger
                          WHERE ledger.invoice_id = invoice.id)
    ) AS theirs
"""

_STATES = "SELECT state, count(*) FROM leaseup_dagster.invoice_ledger GROUP BY state ORDER BY state"


def billed_twice(connection: Connection) -> Found:
    """Months we billed that have more than one rent invoice which is not cancelled."""
    return _found(connection, _TWICE)


def unanswered_for_a_day(connection: Connection) -> Found:
    """Requests that may be at Paystack, and have had no invoice for a day."""
    return _found(connection, _UNANSWERED_FOR_A_DAY)


def invoice_gone(connection: Connection) -> Found:
    """Payment requests whose invoice was deleted from LeaseUp, or points elsewhere."""
    return _found(connection, _INVOICE_GONE)


def open_past_due(connection: Connection, as_of: date) -> Found:
    """Months that are planned or unanswered although their due date has passed."""
    return _found(connection, _OPEN_PAST_DUE, as_of=as_of)


def made_by_another_biller(connection: Connection) -> Found:
    """Rent invoices of the last 7 days that LeaseUp's own monthly task made, for leases we bill."""
    return _found(connection, _BY_ANOTHER_BILLER)


# Rent that was billed by this product for a day after its lease is over. Open invoices only.
_AFTER_THE_LEASE = f"""
    SELECT count(*) AS total,
           (array_agg(invoice.id ORDER BY ledger.due_date, invoice.id))[1 : {IDS_SHOWN}] AS ids
    FROM leaseup_dagster.invoice_ledger AS ledger
    JOIN invoice ON invoice.id = ledger.invoice_id
     AND invoice.status IN ('PENDING', 'OVERDUE', 'PARTIALLY_PAID')
    JOIN lease ON lease.id = ledger.lease_id
    WHERE ledger.state = 'invoiced'
      AND (ledger.due_date > lease."endDate"
           OR (lease.status::text IN ('ENDED', 'RENEWED', 'EXPIRED') AND ledger.due_date > :as_of))
"""

_ANOTHER_AMOUNT = f"""
    SELECT count(*) AS total,
           (array_agg(ledger.lease_id || ' ' || ledger.due_date
                      ORDER BY ledger.due_date, ledger.lease_id))[1 : {IDS_SHOWN}] AS ids
    FROM leaseup_dagster.invoice_ledger AS ledger
    JOIN invoice ON invoice.id = ledger.invoice_id AND invoice.status IN ('PENDING', 'OVERDUE')
     AND round(invoice."dueAmount"::numeric * 100) = ledger.amount_cents
    JOIN lease ON lease.id = ledger.lease_id AND lease.status = 'ACTIVE'
     AND lease.rent BETWEEN 0 AND 1e9
    WHERE ledger.state = 'invoiced' AND ledger.due_date >= :as_of
      AND round(lease.rent::numeric * 100) <> ledger.amount_cents
"""

_ONE_UNIT = f"""
    SELECT count(*) AS total, (array_agg(ids ORDER BY ids))[1 : {IDS_SHOWN}] AS ids FROM (
        SELECT string_agg(id, ' and ' ORDER BY id) AS ids FROM lease
        WHERE status = 'ACTIVE' AND "automaticInvoice" AND "unitId" IS NOT NULL
          AND ("endDate" IS NULL OR "endDate" >= :as_of)
        GROUP BY "unitId" HAVING count(*) > 1
    ) AS shared
"""


def billed_after_the_lease(connection: Connection, as_of: date) -> Found:
    """Open invoices of ours for days after their lease is over: the invoices' ids."""
    return _found(connection, _AFTER_THE_LEASE, as_of=as_of)


def billed_another_amount(connection: Connection, as_of: date) -> Found:
    """Months to come that were billed at another amount than the lease's rent is now."""
    return _found(connection, _ANOTHER_AMOUNT, as_of=as_of)


def active_on_one_unit(connection: Connection, as_of: date) -> Found:
    """Units with more than one ACTIVE lease that is billed: the leases' ids."""
    return _found(connection, _ONE_UNIT, as_of=as_of)


def months_by_state(connection: Connection) -> dict[str, int]:
    """How many months stand how in the ledger."""
    return {state: count for state, count in connection.execute(text(_STATES))}


def _found(connection: Connection, sql: str, **values: date) -> Found:
    connection.execute(ALLOW_LONG)
    row = connection.execute(text(sql), values).one()
    return Found(row.total, first(row.ids))
