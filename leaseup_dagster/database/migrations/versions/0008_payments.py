"""What only a person can decide about the money of an invoice; which requests are archived."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE leaseup_dagster.payment_question (
            invoice_id text NOT NULL,
            request_code text NOT NULL,
            doubt text NOT NULL,
            received_cents bigint NOT NULL,
            recorded_cents bigint NOT NULL,
            otherwise_cents bigint NOT NULL,
            transaction_ids text[] NOT NULL,
            asked_at timestamptz NOT NULL DEFAULT now(),
            told_at timestamptz,
            decision text CHECK (decision IN ('leave', 'record')),
            decided_at timestamptz,
            reason text,
            run_id text,
            PRIMARY KEY (invoice_id, request_code)
        )
        """
    )
    op.execute("ALTER TABLE leaseup_dagster.invoice_ledger ADD COLUMN archived_at timestamptz")
