"""SQL: which months of which leases a statement of decisions examines."""

from collections.abc import Sequence
from typing import Any

from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.invoicing.rules.skip_reasons import SkipReason

_SKIPS = ", ".join(f"'{reason.value}'" for reason in SkipReason)

# Every automatic lease's next due date, what the ledger still has open, and what was withdrawn so
# lately that it is still owed if its reason has gone.
NEXT_MONTHS = f"""
    SELECT lease.id AS lease_id,
           least(CASE WHEN this_month >= :as_of THEN this_month ELSE following_month END,
                 DATE '9999-12-31') AS due_date  -- a mistyped year is one lease's problem
    FROM lease
    CROSS JOIN LATERAL (SELECT greatest(0,
        (date_part('year', CAST(:as_of AS date)) - date_part('year', lease."startDate")) * 12
        + date_part('month', CAST(:as_of AS date)) - date_part('month', lease."startDate")
    )::integer AS months) AS since_start
    CROSS JOIN LATERAL (SELECT
        (lease."startDate" + make_interval(months => months))::date AS this_month,
        (lease."startDate" + make_interval(months => months + 1))::date AS following_month
    ) AS dates
    WHERE lease."automaticInvoice"
    UNION
    SELECT lease_id, due_date FROM leaseup_dagster.invoice_ledger
    WHERE state IN ('planned', 'requesting', 'refused')
       OR (state = 'cancelled' AND error IN ({_SKIPS}) AND due_date > :as_of - 62)
"""

# Beside `NEXT_MONTHS`: every due date of every automatic lease from a day on that has passed.
PASSED_MONTHS = """
    SELECT lease.id AS lease_id, passed.due_date
    FROM lease
    CROSS JOIN LATERAL (
        SELECT (lease."startDate" + make_interval(months => n))::date AS due_date
        FROM generate_series(
            greatest(0, (date_part('year', CAST(:bill_from AS date))
                - date_part('year', lease."startDate")) * 12
                + date_part('month', CAST(:bill_from AS date))
                - date_part('month', lease."startDate"))::integer,
            ((date_part('year', CAST(:as_of AS date)) - date_part('year', lease."startDate")) * 12
                + date_part('month', CAST(:as_of AS date))
                - date_part('month', lease."startDate"))::integer
        ) AS n
    ) AS passed
    WHERE lease."automaticInvoice" AND passed.due_date >= :bill_from AND passed.due_date < :as_of
      -- LeaseUp's "past invoices are paid" dates each at the end of the month it is for.
      AND NOT EXISTS (
        SELECT FROM invoice AS earlier WHERE earlier."leaseId" = lease.id
          AND earlier."offlineReference" LIKE 'PAST-RENT-%' AND earlier."dueDate" > passed.due_date)
"""

# Those of the given keys that are planned: to check again right before they are sent.
PLANNED_MONTHS = """
    SELECT lease_id, due_date FROM leaseup_dagster.invoice_ledger
    WHERE state = 'planned' AND (lease_id, due_date) IN (
        SELECT * FROM unnest(CAST(:lease_ids AS text[]), CAST(:due_dates AS date[])))
"""

# Months that somebody asked for, in the ledger or not.
GIVEN_MONTHS = """
    SELECT * FROM unnest(CAST(:lease_ids AS text[]), CAST(:due_dates AS date[]))
        AS given (lease_id, due_date)
"""


def next_due_date_sql(start: str, day: str) -> str:
    """The expression that `due_dates.next_due_date` computes."""
    months = (
        f"greatest(0, (date_part('year', {day}) - date_part('year', {start})) * 12"
        f" + date_part('month', {day}) - date_part('month', {start}))::integer"
    )
    this = f"({start} + make_interval(months => {months}))::date"
    following = f"({start} + make_interval(months => {months} + 1))::date"
    return f"CASE WHEN {this} >= {day} THEN {this} ELSE {following} END"


def key_arrays(keys: Sequence[LedgerKey]) -> dict[str, Any]:
    """What `PLANNED_MONTHS`, `GIVEN_MONTHS` and `is_chosen` bind."""
    return {
        "lease_ids": [key.lease_id for key in keys],
        "due_dates": [key.due_date for key in keys],
    }
