"""Settings → the protocol, as Dagster passes it to ops."""

from threading import Event

import dagster as dg
from sqlalchemy import Engine

from leaseup_dagster.landlords.delivery import LandlordDelivery
from leaseup_dagster.landlords.letter import Letters
from leaseup_dagster.mail.sender import SmtpSender
from leaseup_dagster.settings import MailSettings, load


class MailSettingsResource(dg.ConfigurableResource[MailSettings]):
    """Whether and whom landlords' e-mails go to, and from whom."""

    def create_resource(self, context: dg.InitResourceContext) -> MailSettings:
        return load(MailSettings)


class LandlordDeliveryResource(dg.ConfigurableResource[LandlordDelivery]):
    """The at-most-once protocol on LeaseUp's database and SMTP_URL's server. It has no sender while
    LANDLORD_EMAILS_ENABLED is false."""

    engine: dg.ResourceDependency[Engine]

    def create_resource(self, context: dg.InitResourceContext) -> LandlordDelivery:
        mail = load(MailSettings)
        url = mail.smtp_url.get_secret_value()
        sender = SmtpSender(url) if mail.landlord_emails_enabled else None
        return LandlordDelivery(self.engine, sender, Letters(mail), Event())
