"""What the last day came to, counted in our ledgers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, text

from leaseup_dagster.database.leaseup import customer_code, tenant
from leaseup_dagster.database.ledgers import customer_refusal as refusal
from leaseup_dagster.money import format_rands
from leaseup_dagster.operations.alert import Alert

_INVOICES = text(
    """
    SELECT count(*) FILTER (WHERE new) AS billed,
           coalesce(sum(amount_cents) FILTER (WHERE new), 0) AS cents,
           count(*) FILTER (WHERE state = 'refused') AS refused,
           count(*) FILTER (WHERE state IN ('planned', 'requesting')) AS waiting,
           count(*) FILTER (WHERE state = 'cancelling') AS cancelling
    FROM leaseup_dagster.invoice_ledger AS ledger
    CROSS JOIN LATERAL (SELECT state = 'invoiced' AND updated_at >= :since AND EXISTS (
        SELECT FROM leaseup_dagster.invoice_history AS history
        WHERE history.due_date = ledger.due_date AND history.lease_id = ledger.lease_id
          AND from_state = 'requesting' AND to_state = 'invoiced' AND at >= :since
    ) AS new) AS of_the_day
    """
)
_TEXTS = text(
    "SELECT state, count(*) FROM leaseup_dagster.reminder_ledger WHERE attempted_at >= :since"
    " GROUP BY state"
)
_TENANTS = (
    select(func.count())
    .select_from(refusal.join(tenant, tenant.c.id == refusal.c.tenant_id))
    .where(customer_code.is_(None))
)


@dataclass(frozen=True)
class Digest:
    """Since `since`: invoices and texts. As it stands now: what waits, and for whom."""

    since: datetime
    billed: int
    cents: int
    refused: int
    waiting: int
    cancelling: int
    texts: Mapping[str, int]
    tenants_refused: int


def count(connection: Connection, since: datetime) -> Digest:
    """Everything that was recorded after `since`, and all that is not done."""
    invoices = connection.execute(_INVOICES, {"since": since}).one()._mapping
    texts = {str(state): int(n) for state, n in connection.execute(_TEXTS, {"since": since})}
    return Digest(since, **invoices, texts=texts, tenants_refused=connection.scalar(_TENANTS) or 0)


def in_words(digest: Digest, failed_runs: int, ui_url: str) -> Alert:
    """The digest as operators get it: what happened, then what a person should check."""
    sent = digest.texts.get("sent", 0)
    happened = f"{digest.billed} invoices, {format_rands(digest.cents)}, {sent} texts"
    open_points_of = {
        "runs failed": failed_runs,
        "invoices refused": digest.refused,
        "invoices waiting for a run": digest.waiting,
        "cancellations half done": digest.cancelling,
        "tenants refused by Paystack": digest.tenants_refused,
        "texts refused": digest.texts.get("refused", 0),
        "texts without an answer": digest.texts.get("unknown", 0),
    }
    open_points = [f"{number} {what}" for what, number in open_points_of.items() if number]
    return Alert(
        subject=f"the last day: {happened}",
        body=f"To check: {', '.join(open_points)}" if open_points else "Nothing to check",
        link=ui_url,
    )
