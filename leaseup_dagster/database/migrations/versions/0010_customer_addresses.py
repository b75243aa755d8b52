"""For which e-mail address a tenant's Paystack customer was made, by its hash."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.execute(
        "CREATE TABLE leaseup_dagster.customer_address ("
        " tenant_id text PRIMARY KEY, customer_code text NOT NULL, email_hash text NOT NULL)"
    )
