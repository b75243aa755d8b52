"""What a reminder records, rehearsed: its claim, and how it ended."""

import uuid
from datetime import date

from sqlalchemy import Connection

from leaseup_dagster.database.rehearsal import Scene, Stage
from leaseup_dagster.reminders import ledger
from leaseup_dagster.reminders.ledger import Claim, Ending


def texted(as_of: date) -> Scene:
    """A text about an invoice that nobody has is claimed and was sent."""
    claim = Claim(
        invoice_id=f"rehearsal-{uuid.uuid4()}",
        tenant_ids=("rehearsal",),
        step=1,
        as_of=as_of,
        number="*",
        number_hash="",
        text_hash="",
        amount_cents=100,
        run_id="rehearsal",
    )

    def record(connection: Connection) -> bool:
        claimed = ledger.claim(connection, claim)
        ledger.record(connection, claim, Ending("sent", "sent"))
        return bool(claimed)

    def scene(stage: Stage) -> None:
        stage.act("A text", record)

    return scene
