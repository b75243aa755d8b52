"""SQL: how one lease stands in today's plan. Reads only; the rules are those of `candidates`."""

from datetime import date

from sqlalchemy import Connection, select

from leaseup_dagster.database.leaseup import lease
from leaseup_dagster.database.ledgers import invoice_ledger as ledger
from leaseup_dagster.database.url import ALLOW_LONG
from leaseup_dagster.invoicing.keys import Eligibility, LedgerKey
from leaseup_dagster.invoicing.planning.eligibility import bindings, eligibilities, statement
from leaseup_dagster.invoicing.planning.months import GIVEN_MONTHS, key_arrays
from leaseup_dagster.invoicing.planning.shards import is_chosen
from leaseup_dagster.invoicing.rules.due_dates import next_due_date
from leaseup_dagster.settings import TaskSettings

_ELIGIBILITY = statement(
    f"{eligibilities(GIVEN_MONTHS, is_chosen)} SELECT due_date, lease_id, reason, amount_cents,"
    " note"
    " FROM eligibility ORDER BY due_date"
)


def open_months(connection: Connection, lease_id: str, as_of: date) -> list[LedgerKey]:
    """What a plan of `as_of` examines: the lease's next due date, and what its ledger has open."""
    start = connection.execute(select(lease.c.startDate).where(lease.c.id == lease_id)).scalar()
    still_open = select(ledger.c.due_date).where(
        ledger.c.lease_id == lease_id, ledger.c.state.in_(("planned", "requesting", "refused"))
    )
    days = set(connection.execute(still_open).scalars())
    if start is not None:
        days.add(next_due_date(start, as_of))
    return [LedgerKey(day, lease_id) for day in sorted(days)]


def eligibility_of(
    connection: Connection, months: list[LedgerKey], as_of: date, tasks: TaskSettings
) -> list[Eligibility]:
    """What a plan of `as_of` says of each of the months, by due date."""
    connection.execute(ALLOW_LONG)
    rows = connection.execute(_ELIGIBILITY, bindings(as_of, tasks) | key_arrays(months))
    return [
        Eligibility(LedgerKey(row.due_date, row.lease_id), row.reason, row.amount_cents, row.note)
        for row in rows
    ]
