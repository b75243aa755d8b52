"""The invoice ledger, refused customers, the mode, and the shared request quota."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE leaseup_dagster.invoice_ledger (
            lease_id              text        NOT NULL,
            due_date              date        NOT NULL,
            billing               integer     NOT NULL DEFAULT 1,
            reference             text        NOT NULL UNIQUE,
            tenant_id             text        NOT NULL,
            landlord_id           text        NOT NULL,
            amount_cents          bigint      NOT NULL CHECK (amount_cents > 0),
            currency              text        NOT NULL,
            description           text        NOT NULL,
            split_code            text        CHECK (split_code <> ''),
            recurring_billable_id text,
            by_hand               boolean     NOT NULL DEFAULT false,
            state                 text        NOT NULL CHECK (state IN
                ('planned', 'requesting', 'invoiced', 'refused', 'cancelled')),
            attempts              integer     NOT NULL DEFAULT 0,
            attempted_at          timestamptz,
            customer_code         text,
            request_code          text,
            adopted               boolean     NOT NULL DEFAULT false,
            invoice_id            text,
            error                 text,
            planned_at            timestamptz NOT NULL DEFAULT now(),
            updated_at            timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (lease_id, due_date),
            CHECK (state <> 'requesting'
                OR (attempted_at IS NOT NULL AND customer_code IS NOT NULL)),
            CHECK ((state = 'invoiced') <= (invoice_id IS NOT NULL AND request_code IS NOT NULL))
        )
        """
    )
    # The work still to do is a handful of rows in a table that only ever grows.
    op.execute(
        """
        CREATE INDEX invoice_ledger_open ON leaseup_dagster.invoice_ledger (due_date)
        WHERE state IN ('planned', 'requesting', 'refused')
        """
    )
    op.execute(
        """
        CREATE TABLE leaseup_dagster.customer_refusal (
            tenant_id  text        PRIMARY KEY,
            data_hash  text        NOT NULL,
            error      text        NOT NULL,
            refused_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
    op.execute(
        """
        CREATE TABLE leaseup_dagster.paystack_mode (
            single boolean PRIMARY KEY DEFAULT true CHECK (single),
            mode   text    NOT NULL CHECK (mode IN ('test', 'live'))
        )
        """
    )
    # Unlogged: what is lost with a crashed server is at most a minute of pacing.
    op.execute(
        """
        CREATE UNLOGGED TABLE leaseup_dagster.request_quota (
            endpoint text             PRIMARY KEY,
            next_at  double precision NOT NULL
        )
        """
    )
