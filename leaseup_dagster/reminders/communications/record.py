"""SQL: the communications record, which is the reminder ledger read as evidence of what was sent.

Who is reminded of rent may ask years later to be shown when they were notified. A text is deleted
when its retention is over and its invoice settled; while that is open, the row still keeps its
tenant from being texted twice, and only what is personal about it goes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, text

_TEXTS = """
    SELECT ledger.invoice_id, invoice."leaseId" AS lease_id, invoice."landlordId" AS landlord_id,
           invoice."dueDate" AS due_date,
           string_agg(ledger.tenant_id, ' ' ORDER BY ledger.tenant_id) AS tenant_ids,
           ledger.step, ledger.as_of, ledger.number, ledger.amount_cents, ledger.template_hash,
           template.template, ledger.segments, ledger.provider, ledger.message_id, ledger.state,
           ledger.code, ledger.error, min(ledger.attempted_at) AS attempted_at,
           ledger.delivery_status, ledger.delivery_code,
           max(ledger.delivery_checked_at) AS delivery_checked_at, ledger.run_id, ledger.text
    FROM leaseup_dagster.reminder_ledger AS ledger
    JOIN invoice ON invoice.id = ledger.invoice_id
    LEFT JOIN leaseup_dagster.reminder_template AS template USING (template_hash)
    WHERE {whose} = :id AND ledger.attempted_at >= :since AND ledger.attempted_at < :until
    -- Tenants who share a number share a text.
    GROUP BY ledger.invoice_id, ledger.step, ledger.number_hash, invoice."leaseId",
             invoice."landlordId", invoice."dueDate", ledger.as_of, ledger.number,
             ledger.amount_cents, ledger.template_hash, template.template, ledger.segments,
             ledger.provider,
             ledger.message_id, ledger.state, ledger.code, ledger.error, ledger.delivery_status,
             ledger.delivery_code, ledger.run_id, ledger.text
    ORDER BY min(ledger.attempted_at), ledger.invoice_id, ledger.step
"""
_OF_LEASE = text(_TEXTS.format(whose='invoice."leaseId"'))
_OF_LANDLORD = text(_TEXTS.format(whose='invoice."landlordId"'))

_REMEMBER = text(
    """
    INSERT INTO leaseup_dagster.reminder_template (template_hash, template)
    VALUES (:template_hash, :template) ON CONFLICT (template_hash) DO NOTHING
    """
)

FINAL = ("delivered", "undelivered", "failed", "canceled", "read")
"""What a provider says of a text last; an index has the same list."""

_UNDECIDED = text(
    f"""
    SELECT message_id FROM leaseup_dagster.reminder_ledger
    WHERE state = 'sent' AND (delivery_status IS NULL OR delivery_status NOT IN {FINAL})
      AND provider = :provider AND message_id IS NOT NULL AND attempted_at > :since
    GROUP BY message_id ORDER BY min(delivery_checked_at) NULLS FIRST, min(attempted_at)
    LIMIT :limit
    """
)

_RECORD = text(
    """
    UPDATE leaseup_dagster.reminder_ledger
    SET delivery_status = coalesce(:status, delivery_status), delivery_code = :code,
        delivery_checked_at = clock_timestamp()
    WHERE message_id = :message_id AND state = 'sent' AND attempted_at > :since
    """
)

_SETTLED = """
    NOT EXISTS (SELECT FROM invoice WHERE invoice.id = ledger.invoice_id
                AND status IN ('PENDING', 'OVERDUE', 'PARTIALLY_PAID'))
"""

_FORGET = text(
    f"""
    DELETE FROM leaseup_dagster.reminder_ledger AS ledger
    WHERE attempted_at < now() - CAST(:kept AS interval) AND state <> 'sending' AND {_SETTLED}
    """
)

_BLANK = text(
    """
    UPDATE leaseup_dagster.reminder_ledger
    SET number = '*', number_hash = '', text_hash = '', text = NULL, message_id = NULL
    WHERE attempted_at < now() - CAST(:kept AS interval) AND state <> 'sending'
      AND number_hash <> ''
    """
)


@dataclass(frozen=True)
class Deleted:
    """How many texts are gone, and how many lost what was personal about them."""

    deleted: int
    blanked: int


def of_lease(
    connection: Connection, lease_id: str, since: datetime, until: datetime
) -> Sequence[Row[Any]]:
    """Every text about an invoice of the lease, sent from `since` until before `until`."""
    return connection.execute(_OF_LEASE, {"id": lease_id, "since": since, "until": until}).all()


def of_landlord(
    connection: Connection, landlord_id: str, since: datetime, until: datetime
) -> Sequence[Row[Any]]:
    """Every text about an invoice of the landlord, sent from `since` until before `until`."""
    values = {"id": landlord_id, "since": since, "until": until}
    return connection.execute(_OF_LANDLORD, values).all()


def remember_template(connection: Connection, template_hash: str, template: str) -> None:
    """The words of a template, once: they prove what was said, and hold nobody's data."""
    connection.execute(_REMEMBER, {"template_hash": template_hash, "template": template})


def undecided(connection: Connection, provider: str, since: datetime, limit: int) -> list[str]:
    """Message ids of texts whose delivery status may still change, those not asked about for
    longest first."""
    values = {"provider": provider, "since": since, "limit": limit}
    return list(connection.execute(_UNDECIDED, values).scalars())


def record_delivery(
    connection: Connection, message_id: str, since: datetime, status: str | None, code: str | None
) -> None:
    """What the provider said; without a status only that it was asked."""
    connection.execute(
        _RECORD, {"message_id": message_id, "since": since, "status": status, "code": code}
    )


def forget(connection: Connection, kept: timedelta) -> Deleted:
    """Apply the retention: delete what is settled, blank what is not."""
    deleted = connection.execute(_FORGET, {"kept": kept}).rowcount
    return Deleted(int(deleted), int(connection.execute(_BLANK, {"kept": kept}).rowcount))
