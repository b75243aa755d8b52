"""The communications record as a CSV file, for a bookkeeper or a tribunal.

Opened in a spreadsheet, no cell is treated as a formula.
"""

import csv
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, TextIO

from sqlalchemy import Connection, Row

from leaseup_dagster.as_of import JOHANNESBURG, midnight
from leaseup_dagster.csv_cells import harmless
from leaseup_dagster.database import ids
from leaseup_dagster.money import decimal_rands
from leaseup_dagster.reminders.communications import record

COLUMNS = (
    "sent at", "due date", "lease", "tenants", "amount due", "currency", "result", "delivery",
    "why", "number", "step", "invoice", "landlord", "text", "template words", "provider",
    "message", "segments", "run",
)  # fmt: skip

_CURRENCY = "ZAR"
"""Every reminder names its amount in rand."""

RESULTS = {
    "sent": "accepted",
    "refused": "failed",
    "unknown": "unknown",
    "sending": "unknown",
    "planned": "not sent",
}
"""The ledger's state of a text, as the record calls it."""


class NothingToExport(ValueError):
    """The id belongs to nothing, or to something else. The message says what to do."""


def texts(
    connection: Connection, *, lease_id: str, landlord_id: str, first: date, last: date
) -> Sequence[Row[Any]]:
    """Every text of a lease, or of a landlord, from the first to the last day in Johannesburg.

    Raises NothingToExport.
    """
    kind, id_ = ("a lease", lease_id) if lease_id else ("a landlord", landlord_id)
    if ids.kind_of(connection, id_) != kind:
        raise NothingToExport(ids.not_a(kind, connection, id_))
    if first > last:
        raise NothingToExport(f"--from {first} is after --to {last}.")
    find = record.of_lease if lease_id else record.of_landlord
    return find(connection, id_, midnight(first), midnight(last + timedelta(days=1)))


def write(rows: Iterable[Row[Any]], to: TextIO) -> None:
    """Write the record as CSV, its columns first."""
    writer = csv.writer(to, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([harmless(cell) for cell in _cells(row)] for row in rows)


def _cells(row: Row[Any]) -> tuple[object, ...]:
    delivery = " ".join(filter(None, (row.delivery_status, row.delivery_code)))
    return (
        _at(row.attempted_at), row.due_date, row.lease_id, row.tenant_ids,
        decimal_rands(row.amount_cents), _CURRENCY, RESULTS[row.state], delivery,
        row.error, row.number, row.step, row.invoice_id, row.landlord_id, row.text, row.template,
        row.provider, row.message_id, row.segments, row.run_id,
    )  # fmt: skip


def _at(instant: datetime | None) -> str:
    return instant.astimezone(JOHANNESBURG).isoformat(" ", "seconds") if instant else ""
