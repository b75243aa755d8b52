"""Settings → client, once per run and process."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from leaseup_dagster import settings
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.paystack.quota import Quota
from leaseup_dagster.settings import PaystackSettings, TaskSettings


class PaystackResource(dg.ConfigurableResource[PaystackClient]):
    """Gives ops a plain `PaystackClient`. The key is read when a run starts and shown nowhere."""

    quota: dg.ResourceDependency[Quota]

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[PaystackClient]:
        paystack = settings.load(PaystackSettings)
        with PaystackClient(
            secret_key=paystack.secret_key.get_secret_value(),
            base_url=paystack.base_url,
            quota=self.quota,
            timeout_seconds=paystack.timeout_seconds,
            connections=settings.load(TaskSettings).batch_size,
        ) as client:
            yield client
