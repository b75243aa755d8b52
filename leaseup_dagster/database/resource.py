"""Settings → engine, and the quota on it, as Dagster hands them to ops."""

from collections.abc import Iterator
from contextlib import contextmanager

from dagster import ConfigurableResource, InitResourceContext, ResourceDependency
from sqlalchemy import Engine

from leaseup_dagster.database.connection import open_engine
from leaseup_dagster.database.quota import SharedQuota
from leaseup_dagster.settings import DatabaseSettings, PaystackSettings, TaskSettings, load


class EngineResource(ConfigurableResource[Engine]):
    """LeaseUp's PostgreSQL, from DATABASE_URL."""

    @contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Iterator[Engine]:
        url = load(DatabaseSettings).database_url.get_secret_value()
        # One for each invoice in flight, one for the step itself, one for look-ups beside them.
        engine = open_engine(url, connections=load(TaskSettings).batch_size + 2)
        try:
            yield engine
        finally:
            engine.dispose()


class QuotaResource(ConfigurableResource[SharedQuota]):
    """Requests per minute and endpoint at Paystack, shared by all workers."""

    engine: ResourceDependency[Engine]

    def create_resource(self, context: InitResourceContext) -> SharedQuota:
        return SharedQuota(self.engine, load(PaystackSettings).requests_per_minute)
