"""Settings → the protocol, as Dagster passes it to ops."""

import threading

import dagster as dg
from sqlalchemy import Engine

from leaseup_dagster.invoicing.creation.protocol import InvoiceCreation
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.settings import PaystackSettings, TaskSettings, load


class InvoiceCreationResource(dg.ConfigurableResource[InvoiceCreation]):
    """The exactly-once protocol on LeaseUp's database and Paystack."""

    engine: dg.ResourceDependency[Engine]
    paystack: dg.ResourceDependency[PaystackClient]

    def create_resource(self, context: dg.InitResourceContext) -> InvoiceCreation:
        paystack = load(PaystackSettings)
        return InvoiceCreation(
            self.engine,
            self.paystack,
            paystack.settle_seconds,
            paystack.send_notification,
            at_once=threading.Semaphore(load(TaskSettings).batch_size),
        )


class TasksResource(dg.ConfigurableResource[TaskSettings]):
    """How much a run takes on, and whom it bills: the TASK_… variables."""

    def create_resource(self, context: dg.InitResourceContext) -> TaskSettings:
        return load(TaskSettings)
