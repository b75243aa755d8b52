"""Our own schema `leaseup_dagster`: which revision it is at, and how it gets to ours."""

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import ProgrammingError

from leaseup_dagster.database.ledgers import SCHEMA
from leaseup_dagster.settings import SettingsError

HEAD = "0012"
"""The newest revision in `migrations/versions`; kept here so that a run that finds the schema
up to date need not load Alembic. A test holds the two together."""

_ONE_AT_A_TIME = 7_263_001
"""Advisory lock: two migrations that start at once run one after the other."""


def current_revision(connection: Connection) -> str | None:
    """The revision the database is at; None when our schema is not there."""
    table = f"{SCHEMA}.alembic_version"
    if connection.execute(text("SELECT to_regclass(:table)"), {"table": table}).scalar() is None:
        return None
    return connection.execute(text(f"SELECT version_num FROM {table}")).scalar()


def migrate(engine: Engine) -> None:
    """Bring our schema to `HEAD`. Idempotent, and safe when several start at once.

    Raises SettingsError when the user may not create the schema.
    """
    from alembic import command  # noqa: PLC0415 - heavy, and only needed when behind
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "leaseup_dagster.database:migrations")
    config.set_main_option("path_separator", "os")
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ONE_AT_A_TIME})
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except ProgrammingError as error:
        if "permission denied" not in str(error.orig):
            raise
        raise SettingsError(
            f"DATABASE_URL: this user may not create the schema {SCHEMA}."
            f" Run `leaseup-dagster migrate` once as the database's owner, or"
            f" GRANT CREATE ON DATABASE to this user."
        ) from None
