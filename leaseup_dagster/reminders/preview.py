"""What a run would do on a day, from the database alone. Reads, and decides as a run does."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from leaseup_dagster.money import format_rands
from leaseup_dagster.reminders import batches, overdue
from leaseup_dagster.reminders.keys import LateInvoices, ReminderResult
from leaseup_dagster.reminders.message import words
from leaseup_dagster.reminders.recipients import Text, plan
from leaseup_dagster.settings import ReminderSettings
from leaseup_dagster.sms.gsm7 import segments
from leaseup_dagster.sms.phone_numbers import mask

COLUMNS = ("invoice", "tenants", "step", "number", "amount due", "messages it costs")


@dataclass(frozen=True)
class Preview:
    late: LateInvoices
    rows: Sequence[tuple[str, str, int, str, str, int]]
    skipped: Sequence[ReminderResult]


def look_ahead(connection: Connection, rules: ReminderSettings, as_of: date, shown: int) -> Preview:
    """The first `shown` invoices about which somebody is due a text, and who would get none."""
    cadence = batches.cadence_of(rules)
    late = batches.find(connection, cadence, as_of)
    rows = overdue.reminders(connection, late.due[:shown], as_of, cadence.after_days)
    chases, skipped = plan(rows, cadence, as_of)
    texts = [_row(text, rules.template) for chase in chases for text in chase.texts]
    return Preview(late, texts, skipped)


def _row(text: Text, template: str) -> tuple[str, str, int, str, str, int]:
    return (
        text.invoice_id,
        ", ".join(text.tenant_ids),
        text.step,
        mask(text.number),
        format_rands(text.facts.amount_cents),
        segments(words(template, text.facts)),
    )
