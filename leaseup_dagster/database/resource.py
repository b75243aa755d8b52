"""Settings → engine, and the quota on it, as Dagster passes them to ops."""

from collections.abc import Iterator
from contextlib import contextmanager

from dagster import ConfigurableResource, InitResourceContext, ResourceDependency
from sqlalchemy import Engine

from leaseup_dagster.database.connection import shared_engine
from leaseup_dagster.database.mode import remember_mode
from leaseup_dagster.database.quota import SharedQuota
from leaseup_dagster.settings import DatabaseSettings, PaystackSettings, TaskSettings, load


class EngineResource(ConfigurableResource[Engine]):
    """LeaseUp's PostgreSQL, from DATABASE_URL."""

    @contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Iterator[Engine]:
        url = load(DatabaseSettings).database_url.get_secret_value()
        # Two workers for each invoice in flight, the step itself, and lookups beside them.
        connections = 2 * load(TaskSettings).batch_size + 2
        # A sensor has no run.
        run_id = context.run.run_id if context.run else ""
        with shared_engine(url, connections, run_id) as engine:
            yield engine


class QuotaResource(ConfigurableResource[SharedQuota]):
    """Requests per minute and endpoint at Paystack, in one mode, shared by all workers."""

    engine: ResourceDependency[Engine]

    def create_resource(self, context: InitResourceContext) -> SharedQuota:
        paystack = load(PaystackSettings)
        remember_mode(self.engine, "live" if paystack.live else "test")
        return SharedQuota(
            self.engine, paystack.requests_per_minute, follow=paystack.rate_limit is None
        )
