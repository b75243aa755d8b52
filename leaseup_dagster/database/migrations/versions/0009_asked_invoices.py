"""When Paystack was last asked about an invoice that has been open for long."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute(
        "CREATE TABLE leaseup_dagster.asked_invoice ("
        " invoice_id text PRIMARY KEY, asked_at timestamptz NOT NULL DEFAULT now())"
    )
