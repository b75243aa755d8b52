"""When Paystack made each payment request, by its own clock."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute("ALTER TABLE leaseup_dagster.invoice_ledger ADD COLUMN made_at timestamptz")
