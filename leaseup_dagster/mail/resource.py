"""Settings → sender; None while LANDLORD_EMAILS_ENABLED is false."""

import dagster as dg

from leaseup_dagster.mail.sender import SmtpSender
from leaseup_dagster.settings import MailSettings, load


class MailResource(dg.ConfigurableResource[SmtpSender | None]):
    def create_resource(self, context: dg.InitResourceContext) -> SmtpSender | None:
        mail = load(MailSettings)
        if not mail.landlord_emails_enabled:
            return None
        return SmtpSender(mail.smtp_url.get_secret_value())


class MailSettingsResource(dg.ConfigurableResource[MailSettings]):
    """Whom the daily e-mail goes to, and from whom."""

    def create_resource(self, context: dg.InitResourceContext) -> MailSettings:
        return load(MailSettings)
