"""What each landlord was told, and the e-mail that told it."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE leaseup_dagster.landlord_email (
            landlord_id text NOT NULL,
            day date NOT NULL,
            state text NOT NULL
                CHECK (state IN ('sending', 'sent', 'unknown', 'deferred', 'refused')),
            attempts integer NOT NULL,
            attempted_at timestamptz NOT NULL,
            run_id text NOT NULL,
            why text,
            PRIMARY KEY (landlord_id, day)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE leaseup_dagster.landlord_event (
            landlord_id text NOT NULL,
            kind text NOT NULL,
            key text NOT NULL,
            day date,
            PRIMARY KEY (landlord_id, kind, key)
        )
        """
    )
