"""Databases for tests: made once from a template, emptied after each test, made anew after one that
has changed more than rows.

To make a database takes ten times as long as to empty one.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, create_engine, text

from leaseup_dagster.database.url import engine_url
from leaseup_dagster.sandbox.postgres import Postgres

# Whatever a test creates, alters, grants or drops is noticed, whoever does it.
_WATCH = """
CREATE SCHEMA watched;
CREATE TABLE watched.change (tag text);
CREATE FUNCTION watched.note() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS
    $$ BEGIN INSERT INTO watched.change VALUES (tg_tag); END $$;
CREATE EVENT TRIGGER watched_ends ON ddl_command_end EXECUTE FUNCTION watched.note();
CREATE EVENT TRIGGER watched_drops ON sql_drop EXECUTE FUNCTION watched.note();
"""
_END_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_CHANGED = """
SELECT EXISTS (SELECT FROM watched.change)
    OR EXISTS (SELECT FROM pg_db_role_setting
               JOIN pg_database ON pg_database.oid = setdatabase
               WHERE datname = current_database())
    OR (SELECT string_agg(version_num, ' ') FROM leaseup_dagster.alembic_version)
       IS DISTINCT FROM :revision
"""
_TABLES = text(
    "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
    " WHERE schemaname IN ('public', 'leaseup_dagster') AND tablename <> 'alembic_version'"
)
_SEQUENCES = """
SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence
"""


def watch(connection: Connection) -> None:
    """Done once, to the template."""
    connection.exec_driver_sql(_WATCH)


def emptying(connection: Connection) -> str:
    """The statements that empty LeaseUp's tables and ours: no trigger fires, no order of foreign
    keys matters, and an empty table is emptied in no time."""
    deletions = ";".join(f"DELETE FROM {table}" for table in connection.execute(_TABLES).scalars())
    return f"SET session_replication_role = replica; {deletions}; RESET ALL"


class Databases:
    """The databases of one session of tests, one test at a time."""

    def __init__(self, postgres: Postgres, template: str, revision: str) -> None:
        self._postgres, self._template, self._revision = postgres, template, revision
        self._number = 0
        self._spare: str | None = None

    @contextmanager
    def one(self) -> Iterator[str]:
        """The URL of a database with LeaseUp's tables and ours, empty."""
        name, self._spare = self._spare or self._made(), None
        yield self._postgres.url(name)
        if self._emptied(name):
            self._spare = name
        else:
            self._postgres.drop_database(name)

    def _made(self) -> str:
        self._number += 1
        name = f"test_{self._number}"
        self._postgres.create_database(name, template=self._template)
        return name

    def _emptied(self, name: str) -> bool:
        """Whether it is as it was made."""
        engine = create_engine(engine_url(self._postgres.url(name)))
        try:
            with engine.begin() as connection:
                connection.execute(text(_END_OTHERS))
                changed = connection.execute(text(_CHANGED), {"revision": self._revision})
                if changed.scalar_one():
                    return False
                connection.exec_driver_sql(emptying(connection))
                connection.execute(text(_SEQUENCES))
        finally:
            engine.dispose()
        return True
