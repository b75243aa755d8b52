"""The communications record: what each text was made of, and what became of it at the provider."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE leaseup_dagster.reminder_ledger
            ADD COLUMN template_hash       text,
            ADD COLUMN segments            integer,
            ADD COLUMN provider            text,
            ADD COLUMN text                text,
            ADD COLUMN delivery_status     text,
            ADD COLUMN delivery_code       text,
            ADD COLUMN delivery_checked_at timestamptz
        """
    )
    # The words of a template hold nobody's data, and prove what was said.
    op.execute(
        """
        CREATE TABLE leaseup_dagster.reminder_template (
            template_hash text        PRIMARY KEY,
            template      text        NOT NULL,
            first_used_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
    # Texts whose delivery is still to be asked about are few in a table that only ever grows.
    op.execute(
        """
        CREATE INDEX reminder_ledger_undelivered ON leaseup_dagster.reminder_ledger (attempted_at)
        WHERE state = 'sent' AND (delivery_status IS NULL OR delivery_status NOT IN
            ('delivered', 'undelivered', 'failed', 'canceled', 'read'))
        """
    )
