"""SQL: what one step passes to the next, by the name of its run, step and output."""

from sqlalchemy import Connection, text

_KEEP = text(
    """
    WITH expired AS (
        DELETE FROM leaseup_dagster.step_output WHERE written_at < now() - interval '30 days'
    )
    INSERT INTO leaseup_dagster.step_output (name, value) VALUES (:name, :value)
    -- A step that was tried again, or whose worker was lost.
    ON CONFLICT (name) DO UPDATE SET value = excluded.value, written_at = now()
    """
)

_FETCH = text("SELECT value FROM leaseup_dagster.step_output WHERE name = :name")


def keep(connection: Connection, name: str, value: bytes) -> None:
    """Keep it for 30 days, in which a run can be executed again from its failure."""
    connection.execute(_KEEP, {"name": name, "value": value})


def fetch(connection: Connection, name: str) -> bytes | None:
    """What was kept last under this name; None if nothing was, or too long ago."""
    value = connection.execute(_FETCH, {"name": name}).scalar()
    return None if value is None else bytes(value)
