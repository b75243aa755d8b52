"""What Paystack has told of its limit, for each endpoint, and when."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE leaseup_dagster.request_quota"
        " ADD COLUMN requests_per_minute integer CHECK (requests_per_minute > 0),"
        " ADD COLUMN told_at timestamptz"
    )
