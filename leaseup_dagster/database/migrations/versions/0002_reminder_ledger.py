"""The reminder ledger: one row for each invoice, tenant and step of the reminder schedule."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE leaseup_dagster.reminder_ledger (
            invoice_id   text        NOT NULL,
            tenant_id    text        NOT NULL,
            step         integer     NOT NULL CHECK (step > 0),
            as_of        date        NOT NULL,
            state        text        NOT NULL CHECK (state IN
                ('planned', 'sending', 'sent', 'unknown', 'refused')),
            outcome      text,
            number       text        NOT NULL CHECK (number LIKE '%*%'),
            number_hash  text        NOT NULL,
            text_hash    text        NOT NULL,
            amount_cents bigint      NOT NULL,
            attempts     integer     NOT NULL DEFAULT 1,
            attempted_at timestamptz NOT NULL,
            run_id       text        NOT NULL,
            message_id   text,
            code         text,
            error        text,
            updated_at   timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (invoice_id, tenant_id, step)
        )
        """
    )
    # Texts without an answer, and refused numbers, are few in a table that only ever grows.
    op.execute(
        """
        CREATE INDEX reminder_ledger_unanswered ON leaseup_dagster.reminder_ledger (attempted_at)
        WHERE state IN ('sending', 'unknown')
        """
    )
    op.execute(
        """
        CREATE INDEX reminder_ledger_refused ON leaseup_dagster.reminder_ledger (tenant_id)
        WHERE state = 'refused'
        """
    )
    op.execute(
        "CREATE INDEX reminder_ledger_run ON leaseup_dagster.reminder_ledger (run_id, updated_at)"
    )
