"""Our own schema: migrated once, by whoever comes first, and as the code expects it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, MetaData, create_engine, inspect, text

from leaseup_dagster.database import ledgers, schema
from leaseup_dagster.database.url import engine_url
from leaseup_dagster.sandbox.postgres import Postgres
from leaseup_dagster.settings import SettingsError


@pytest.fixture
def bare(postgres: Postgres) -> Iterator[Engine]:
    """LeaseUp's tables, and nothing of ours yet."""
    postgres.create_leaseup("bare")
    engine = create_engine(engine_url(postgres.url("bare")), pool_size=4)
    yield engine
    engine.dispose()
    postgres.drop_database("bare")


def test_migrating_makes_our_schema_and_again_changes_nothing(bare: Engine) -> None:
    with bare.connect() as connection:
        assert schema.current_revision(connection) is None

    schema.migrate(bare)
    schema.migrate(bare)

    with bare.connect() as connection:
        assert schema.current_revision(connection) == schema.HEAD


def test_four_migrations_at_once_end_as_one(bare: Engine) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(schema.migrate, [bare] * 4))

    with bare.connect() as connection:
        assert schema.current_revision(connection) == schema.HEAD


def test_migrating_leaves_leaseups_own_tables_alone(bare: Engine) -> None:
    def columns() -> list[tuple[object, ...]]:
        sql = """SELECT table_name, column_name, data_type, column_default
                 FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"""
        with bare.connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    before = columns()
    schema.migrate(bare)
    assert columns() == before


def test_head_is_the_newest_migration() -> None:
    folder = str(files("leaseup_dagster.database").joinpath("migrations"))
    assert ScriptDirectory(folder).get_current_head() == schema.HEAD


def test_the_tables_the_code_knows_are_those_of_the_migrations(engine: Engine) -> None:
    found = MetaData(schema=ledgers.SCHEMA)
    found.reflect(engine)

    expected = {table.fullname: table for table in ledgers.metadata.sorted_tables}
    assert set(found.tables) - {f"{ledgers.SCHEMA}.alembic_version"} == set(expected)
    for name, table in expected.items():
        real = found.tables[name]
        assert [c.name for c in real.primary_key] == [c.name for c in table.primary_key]
        assert {
            c.name: (str(c.type.compile(engine.dialect)), c.nullable) for c in real.columns
        } == {c.name: (str(c.type.compile(engine.dialect)), c.nullable) for c in table.columns}


def test_a_user_who_may_not_create_a_schema_is_told_what_to_do(
    postgres: Postgres, bare: Engine
) -> None:
    with bare.begin() as connection:
        connection.execute(text("CREATE ROLE reader LOGIN"))
        connection.execute(text("GRANT pg_read_all_data TO reader"))
    url = engine_url(postgres.url("bare")).set(username="reader")
    reader = create_engine(url)

    with pytest.raises(SettingsError, match="leaseup-dagster migrate"):
        schema.migrate(reader)

    reader.dispose()
    assert "leaseup_dagster" not in inspect(bare).get_schema_names()
    with bare.begin() as connection:
        connection.execute(text("DROP ROLE reader"))
