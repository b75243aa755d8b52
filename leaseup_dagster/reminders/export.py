"""The communications record as a CSV file, for a bookkeeper or a tribunal.

Opened in a spreadsheet, no cell is taken for a formula.
"""

import csv
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, TextIO

from sqlalchemy import Connection, Row

from leaseup_dagster.as_of import JOHANNESBURG, midnight
from leaseup_dagster.csv_cells import harmless
from leaseup_dagster.database import ids
from leaseup_dagster.money import format_rands
from leaseup_dagster.reminders import communications

COLUMNS = (
    "sent at", "for the day", "invoice", "lease", "landlord", "tenants", "step", "number",
    "amount due", "result", "provider", "message", "segments", "delivery", "delivery code",
    "delivery asked at", "why", "run", "template", "template words", "text",
)  # fmt: skip

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
    find = communications.of_lease if lease_id else communications.of_landlord
    return find(connection, id_, midnight(first), midnight(last + timedelta(days=1)))


def write(rows: Iterable[Row[Any]], to: TextIO) -> None:
    writer = csv.writer(to, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([harmless(cell) for cell in _cells(row)] for row in rows)


def _cells(row: Row[Any]) -> tuple[object, ...]:
    return (
        _at(row.attempted_at), row.as_of, row.invoice_id, row.lease_id, row.landlord_id,
        row.tenant_ids, row.step, row.number, format_rands(row.amount_cents),
        RESULTS[row.state], row.provider, row.message_id, row.segments, row.delivery_status,
        row.delivery_code, _at(row.delivery_checked_at), row.error, row.run_id,
        (row.template_hash or "")[:12], row.template, row.text,
    )  # fmt: skip


def _at(instant: datetime | None) -> str:
    return instant.astimezone(JOHANNESBURG).isoformat(" ", "seconds") if instant else ""
