"""What one step hands to the next, where the machines that execute them share no folder."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE leaseup_dagster.step_output (
            name       text        PRIMARY KEY,
            value      bytea       NOT NULL,
            written_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
    op.execute("CREATE INDEX step_output_age ON leaseup_dagster.step_output (written_at)")
