"""Settings → client, once per run and process."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import dagster as dg

from leaseup_dagster import settings
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.paystack.quota import Quota
from leaseup_dagster.settings import ExecutorSettings, PaystackSettings, TaskSettings
from leaseup_dagster.stopping import CONTINUES, stopping_with_its_run


class PaystackResource(dg.ConfigurableResource[PaystackClient]):
    """Gives ops a plain `PaystackClient`. The key is read when a run starts and shown nowhere."""

    quota: dg.ResourceDependency[Quota]

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[PaystackClient]:
        paystack = settings.load(PaystackSettings)
        with (
            PaystackClient(
                secret_key=paystack.secret_key.get_secret_value(),
                base_url=paystack.base_url,
                quota=self.quota,
                timeout_seconds=paystack.timeout_seconds,
                connections=settings.load(TaskSettings).batch_size,
            ) as client,
            _stopping(client, context),
        ):
            yield client


def _stopping(
    client: PaystackClient, context: dg.InitResourceContext
) -> AbstractContextManager[None]:
    """Where steps are executed elsewhere, the run cannot tell them to stop: they ask. So does a run
    that takes over from another, and one that may have been running long enough to pass on."""
    run, instance = context.run, context.instance
    if not run or not instance:
        return nullcontext()
    at_once = settings.load(ExecutorSettings).many_machines or CONTINUES in run.tags
    from_second = 0.0 if at_once else settings.load(TaskSettings).taking_seconds / 4
    return stopping_with_its_run(client.stop, instance, run.run_id, from_second=from_second)
