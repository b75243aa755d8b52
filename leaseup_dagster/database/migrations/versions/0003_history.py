"""The ledgers' history, which nobody can rewrite, and the state `cancelling`.

A trigger writes it in the statement that makes the change: no round trip more, and no way around
it. For each statement, not each row: planning a million months stays one insert. `run_id` is what
the session says it works for (`database.connection`); NULL is somebody at a prompt.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

_RUN = "nullif(current_setting('leaseup.run_id', true), '')"


def upgrade() -> None:
    _cancelling()
    _invoice_history()
    _reminder_history()
    _append_only()


def _cancelling() -> None:
    op.execute(
        """
        ALTER TABLE leaseup_dagster.invoice_ledger
            DROP CONSTRAINT invoice_ledger_state_check,
            ADD CONSTRAINT invoice_ledger_state_check CHECK (state IN
                ('planned', 'requesting', 'invoiced', 'refused', 'cancelling', 'cancelled')),
            ADD CONSTRAINT invoice_ledger_cancelling_check CHECK (state <> 'cancelling'
                OR (invoice_id IS NOT NULL AND request_code IS NOT NULL AND error IS NOT NULL))
        """
    )
    # What a crashed cancellation left is a row or none in a table that only ever grows.
    op.execute(
        """
        CREATE INDEX invoice_ledger_cancelling ON leaseup_dagster.invoice_ledger (updated_at)
        WHERE state = 'cancelling'
        """
    )


def _invoice_history() -> None:
    # By due date first, as a plan inserts: a million rows then go to the index's end.
    op.execute(
        """
        CREATE TABLE leaseup_dagster.invoice_history (
            due_date   date        NOT NULL,
            lease_id   text        NOT NULL,
            id         bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
            billing    integer     NOT NULL,
            from_state text,
            to_state   text        NOT NULL,
            at         timestamptz NOT NULL DEFAULT clock_timestamp(),
            run_id     text,
            reason     text,
            PRIMARY KEY (due_date, lease_id, id)
        )
        """
    )
    # A new mark keeps the error of the last attempt, which is not the reason for this one.
    op.execute(
        f"""
        CREATE FUNCTION leaseup_dagster.write_invoice_history() RETURNS trigger
        LANGUAGE plpgsql
        -- The plan is kept for the session: one made for a single row must not meet a million.
        SET enable_nestloop = off
        AS $$
        BEGIN
            IF TG_OP = 'INSERT' THEN
                INSERT INTO leaseup_dagster.invoice_history
                    (lease_id, due_date, billing, to_state, run_id, reason)
                SELECT lease_id, due_date, billing, state, {_RUN}, error FROM changed;
            ELSE
                INSERT INTO leaseup_dagster.invoice_history
                    (lease_id, due_date, billing, from_state, to_state, run_id, reason)
                SELECT lease_id, due_date, changed.billing, before.state, changed.state, {_RUN},
                       CASE WHEN changed.attempts > before.attempts THEN NULL
                            WHEN changed.adopted AND NOT before.adopted
                                THEN 'found at Paystack, made by an earlier attempt'
                            ELSE changed.error END
                FROM changed JOIN before USING (lease_id, due_date)
                WHERE (changed.state, changed.billing, changed.attempts, changed.error)
                    IS DISTINCT FROM (before.state, before.billing, before.attempts, before.error);
            END IF;
            RETURN NULL;
        END $$;
        CREATE TRIGGER history_of_inserts AFTER INSERT ON leaseup_dagster.invoice_ledger
            REFERENCING NEW TABLE AS changed
            FOR EACH STATEMENT EXECUTE FUNCTION leaseup_dagster.write_invoice_history();
        CREATE TRIGGER history_of_updates AFTER UPDATE ON leaseup_dagster.invoice_ledger
            REFERENCING OLD TABLE AS before NEW TABLE AS changed
            FOR EACH STATEMENT EXECUTE FUNCTION leaseup_dagster.write_invoice_history();
        """
    )


def _reminder_history() -> None:
    op.execute(
        """
        CREATE TABLE leaseup_dagster.reminder_history (
            invoice_id text        NOT NULL,
            tenant_id  text        NOT NULL,
            step       integer     NOT NULL,
            id         bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
            from_state text,
            to_state   text        NOT NULL,
            at         timestamptz NOT NULL DEFAULT clock_timestamp(),
            run_id     text,
            reason     text,
            PRIMARY KEY (invoice_id, tenant_id, step, id)
        )
        """
    )
    # Its rows are also deleted, when the communications' retention is over.
    op.execute(
        f"""
        CREATE FUNCTION leaseup_dagster.write_reminder_history() RETURNS trigger
        LANGUAGE plpgsql SET enable_nestloop = off AS $$
        BEGIN
            IF TG_OP = 'INSERT' THEN
                INSERT INTO leaseup_dagster.reminder_history
                    (invoice_id, tenant_id, step, to_state, run_id, reason)
                SELECT invoice_id, tenant_id, step, state, {_RUN}, error FROM changed;
            ELSIF TG_OP = 'UPDATE' THEN
                INSERT INTO leaseup_dagster.reminder_history
                    (invoice_id, tenant_id, step, from_state, to_state, run_id, reason)
                SELECT invoice_id, tenant_id, step, before.state, changed.state, {_RUN},
                       changed.error
                FROM changed JOIN before USING (invoice_id, tenant_id, step)
                WHERE (changed.state, changed.attempts, changed.error)
                    IS DISTINCT FROM (before.state, before.attempts, before.error);
            ELSE
                INSERT INTO leaseup_dagster.reminder_history
                    (invoice_id, tenant_id, step, from_state, to_state, run_id)
                SELECT invoice_id, tenant_id, step, state, 'deleted', {_RUN} FROM before;
            END IF;
            RETURN NULL;
        END $$;
        CREATE TRIGGER history_of_inserts AFTER INSERT ON leaseup_dagster.reminder_ledger
            REFERENCING NEW TABLE AS changed
            FOR EACH STATEMENT EXECUTE FUNCTION leaseup_dagster.write_reminder_history();
        CREATE TRIGGER history_of_updates AFTER UPDATE ON leaseup_dagster.reminder_ledger
            REFERENCING OLD TABLE AS before NEW TABLE AS changed
            FOR EACH STATEMENT EXECUTE FUNCTION leaseup_dagster.write_reminder_history();
        CREATE TRIGGER history_of_deletes AFTER DELETE ON leaseup_dagster.reminder_ledger
            REFERENCING OLD TABLE AS before
            FOR EACH STATEMENT EXECUTE FUNCTION leaseup_dagster.write_reminder_history();
        """
    )


def _append_only() -> None:
    op.execute(
        """
        CREATE FUNCTION leaseup_dagster.refuse_to_rewrite_history() RETURNS trigger
        LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, lower(TG_OP);
        END $$;
        """
    )
    for table in ("invoice_history", "reminder_history"):
        op.execute(
            f"""
            CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE
            ON leaseup_dagster.{table} FOR EACH STATEMENT
            EXECUTE FUNCTION leaseup_dagster.refuse_to_rewrite_history()
            """
        )
