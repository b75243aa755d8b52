"""SQL: months that fell due while nobody planned them, as when the service was down for long.

A run plans each lease's next due date. What is planned is finished whenever the next run is; but a
due date that passed before any run saw it has no row in the ledger, and is found only here.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Connection, text

from leaseup_dagster.as_of import JOHANNESBURG
from leaseup_dagster.checking import IDS_SHOWN, Found, first
from leaseup_dagster.database.url import ALLOW_LONG
from leaseup_dagster.invoicing.planning.eligibility import bindings, eligibilities, statement
from leaseup_dagster.invoicing.planning.months import PASSED_MONTHS
from leaseup_dagster.settings import TaskSettings

LONGEST_AGO = timedelta(days=366)
"""How far the check goes back, and `bill_from` may."""


# From the day the service began on, and from the day the lease was entered on: what was due before
# was never ours to bill. But its first month is, where it was entered some days after it began.
_UNPLANNED_MONTHS = f"""
    SELECT passed.lease_id, passed.due_date FROM ({PASSED_MONTHS}) AS passed
    JOIN lease ON lease.id = passed.lease_id
    CROSS JOIN LATERAL (SELECT
        timezone('{JOHANNESBURG.key}', timezone('UTC', lease."createdAt"))::date AS day) AS entered
    WHERE (passed.due_date >= entered.day
           OR (passed.due_date = lease."startDate" AND passed.due_date > entered.day - 31))
      AND NOT EXISTS (
        SELECT FROM leaseup_dagster.invoice_ledger AS ledger
        WHERE ledger.lease_id = passed.lease_id AND ledger.due_date = passed.due_date)
      AND NOT EXISTS (
        SELECT FROM invoice WHERE invoice."leaseId" = passed.lease_id
          AND invoice."dueDate" = passed.due_date AND invoice.category = 'RENT')
"""

_BY_REASON = f"""
    SELECT reason, count(*) AS total, min(due_date) AS earliest,
           (array_agg(lease_id || ' ' || due_date ORDER BY due_date, lease_id))
               [1 : {IDS_SHOWN}] AS ids
    FROM eligibility GROUP BY reason ORDER BY reason
"""

_BEGAN = f"""
    SELECT timezone('{JOHANNESBURG.key}', min(planned_at))::date
    FROM leaseup_dagster.invoice_ledger
"""


@dataclass(frozen=True)
class MissedMonths:
    """`bill_from` is the config that bills `missed`; `explained` counts the others by reason."""

    missed: Found
    bill_from: date | None
    explained: dict[str, int]


def missed_months(connection: Connection, as_of: date, tasks: TaskSettings) -> MissedMonths:
    """Every due date that has passed with no invoice, no row in the ledger, and no reason."""
    connection.execute(ALLOW_LONG)
    began: date | None = connection.execute(text(_BEGAN)).scalar()
    if began is None:  # nothing was ever planned: nothing was missed
        return MissedMonths(Found(), None, {})
    asked = statement(eligibilities(_UNPLANNED_MONTHS) + _BY_REASON)
    values = bindings(as_of, tasks) | {"bill_from": max(began, as_of - LONGEST_AGO)}
    rows = {row.reason: row for row in connection.execute(asked, values)}
    missed = rows.pop(None, None)
    return MissedMonths(
        missed=Found(missed.total, first(missed.ids)) if missed else Found(),
        bill_from=missed.earliest if missed else None,
        explained={reason: row.total for reason, row in rows.items()},
    )
