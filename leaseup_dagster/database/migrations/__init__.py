"""The history of our schema `leaseup_dagster`, for Alembic. Forward only."""
