"""What a run would do on a day, from the database alone. Reads, and decides as a run does."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from leaseup_dagster.money import format_rands
from leaseup_dagster.reminders.keys import Kind, LateInvoices
from leaseup_dagster.reminders.overdue import queries, selection
from leaseup_dagster.reminders.rules.message import template_of, words
from leaseup_dagster.reminders.rules.policy import ReminderPolicy
from leaseup_dagster.reminders.rules.recipients import Text, plan
from leaseup_dagster.reminders.sending import late_tenants, outcomes
from leaseup_dagster.settings import ReminderSettings
from leaseup_dagster.sms.gsm7 import segments
from leaseup_dagster.sms.phone_numbers import mask
from leaseup_dagster.tables import Cell

COLUMNS = ("invoice", "tenants", "step", "number", "amount due", "messages it costs")


@dataclass(frozen=True)
class Preview:
    """What a run would text, and whom it would skip."""

    late: LateInvoices
    rows: Sequence[tuple[str, str, int, str, str, int]]
    # Late as well, and no text: rows of `late_tenants`.
    skipped: Sequence[tuple[Cell, ...]]


def preview_reminders_of(
    connection: Connection, rules: ReminderSettings, as_of: date, shown: int
) -> Preview:
    """The first `shown` invoices about which somebody is due a text, and who would get none."""
    policy = ReminderPolicy.of(rules)
    late = selection.find(connection, policy, as_of)
    rows = queries.reminders(connection, late.due[:shown], as_of, policy.after_days)
    texts, skipped = plan(rows, policy, as_of)
    results = skipped + [result for text in texts for result in text.results(Kind.PLANNED)]
    due = outcomes.words(Kind.PLANNED), ""
    listed = late_tenants.rows(late, results, policy, unsaid=due)
    informed = [row for text in texts for row in _rows(text, rules)]
    return Preview(late, informed, late_tenants.skipped(listed, due[0]))


def lines(shown: Preview) -> list[str]:
    """Whom a run would text and whom not, for the log."""
    informed = [
        f"Would text {tenants} ({number}) about {invoice}, {amount}: reminder {step}"
        for invoice, tenants, step, number, amount, _ in shown.rows
    ]
    skipped = [dict(zip(late_tenants.COLUMNS, row, strict=True)) for row in shown.skipped]
    return informed + [
        f"Would skip {one['tenant']} about {one['invoice']}, {one['amount owed']},"
        f" {one['days late']} days late: {one['outcome']}"
        for one in skipped
    ]


def _rows(text: Text, rules: ReminderSettings) -> list[tuple[str, str, int, str, str, int]]:
    """A row for each invoice of the text; it costs its messages once."""
    body = words(template_of(text.facts, rules.template, rules.template_several), text.facts)
    return [
        (
            part.invoice_id,
            ", ".join(part.tenant_ids),
            part.step,
            mask(text.number),
            format_rands(part.facts.amount_cents),
            segments(body) if number == 0 else 0,
        )
        for number, part in enumerate(text.parts)
    ]
