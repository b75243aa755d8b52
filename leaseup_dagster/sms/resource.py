"""Settings → sender, once per run and process; None when texts are switched off."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from leaseup_dagster import settings
from leaseup_dagster.settings import SmsSettings
from leaseup_dagster.sms.sender import Sender


class SmsResource(dg.ConfigurableResource[Sender | None]):
    """Gives ops a plain sender. Keys are read when a run starts and shown nowhere."""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Sender | None]:
        sender = sender_from(settings.load(SmsSettings))
        try:
            yield sender
        finally:
            if sender is not None:
                sender.close()


def sender_from(sms: SmsSettings) -> Sender | None:
    """The sender of texts to tenants; None when SMS_ENABLED is false."""
    return sender_of(sms) if sms.sms_enabled else None


def sender_of(sms: SmsSettings) -> Sender:
    """The sender these settings name, which must be complete."""
    key, secret = sms.sms_api_key.get_secret_value(), sms.sms_api_secret.get_secret_value()
    # Loaded here: a run without texts, and every other job, does without these SDKs.
    if sms.sms_provider == "twilio":
        from leaseup_dagster.sms.twilio import TwilioSender  # noqa: PLC0415

        return TwilioSender(
            base_url=sms.twilio_base_url,
            account_sid=sms.sms_account_sid or key,
            username=key,
            secret=secret,
            from_number=sms.sms_from_number,
        )
    from leaseup_dagster.sms.sns import SnsSender  # noqa: PLC0415

    return SnsSender(
        region=sms.sms_aws_region, key=key, secret=secret, from_number=sms.sms_from_number
    )
