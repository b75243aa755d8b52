"""Alembic's entry: runs on the connection that `database.schema.migrate` hands over."""

from alembic import context

from leaseup_dagster.database.ledgers import SCHEMA

context.configure(
    connection=context.config.attributes["connection"],
    version_table_schema=SCHEMA,
)
with context.begin_transaction():
    context.run_migrations()
