"""Settings → the protocol, as Dagster passes it to ops."""

import dagster as dg
from sqlalchemy import Engine

from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.reconciliation.repairs import Repairs
from leaseup_dagster.settings import TaskSettings, load


class RepairsResource(dg.ConfigurableResource[Repairs]):
    """The protocol of reconciliation on LeaseUp's database and Paystack."""

    engine: dg.ResourceDependency[Engine]
    paystack: dg.ResourceDependency[PaystackClient]

    def create_resource(self, context: dg.InitResourceContext) -> Repairs:
        return Repairs(self.engine, self.paystack, load(TaskSettings))
