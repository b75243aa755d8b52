"""Whether a number has had a text on a day is looked up before each text."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute(
        "CREATE INDEX reminder_ledger_number ON leaseup_dagster.reminder_ledger"
        " (number_hash, as_of)"
    )
