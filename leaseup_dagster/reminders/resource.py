"""Settings → the rules and the protocol, as Dagster passes them to ops."""

import dagster as dg
from sqlalchemy import Engine

from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.reminders.sending.protocol import ReminderDelivery
from leaseup_dagster.settings import CommunicationsSettings, ReminderSettings, load
from leaseup_dagster.sms.sender import Sender


class ReminderRulesResource(dg.ConfigurableResource[ReminderSettings]):
    """When a late tenant is texted, and in which words: the REMINDER_… variables."""

    def create_resource(self, context: dg.InitResourceContext) -> ReminderSettings:
        return load(ReminderSettings)


class ReminderDeliveryResource(dg.ConfigurableResource[ReminderDelivery]):
    """The at-most-once protocol on LeaseUp's database, Paystack and the text provider."""

    engine: dg.ResourceDependency[Engine]
    paystack: dg.ResourceDependency[PaystackClient]
    sms: dg.ResourceDependency[Sender | None]

    def create_resource(self, context: dg.InitResourceContext) -> ReminderDelivery:
        return ReminderDelivery(
            self.engine,
            self.paystack,
            self.sms,
            load(ReminderSettings),
            keep_text=load(CommunicationsSettings).keep_text,
        )


class CommunicationsResource(dg.ConfigurableResource[CommunicationsSettings]):
    """What is kept of the texts, and for how long: the COMMUNICATIONS_… variables."""

    def create_resource(self, context: dg.InitResourceContext) -> CommunicationsSettings:
        return load(CommunicationsSettings)
