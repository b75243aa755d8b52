"""The ways to an operator: texts through our own provider, and whatever Apprise can reach."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from leaseup_dagster.operations.alert import Alert
from leaseup_dagster.settings import AlertSettings, SettingsError, SmsSettings, load
from leaseup_dagster.sms.gsm7 import to_gsm7
from leaseup_dagster.sms.resource import sender_of
from leaseup_dagster.sms.sender import Sent

VALID_SECONDS = 6 * 3600
"""An alert that could not be delivered for longer is not delivered any more."""


@dataclass(frozen=True)
class Channel:
    """`name` may be shown. `send` returns why an alert did not get through, or None.

    `wrong` names the setting for which nothing can get through.
    """

    name: str
    send: Callable[[Alert], str | None]
    wrong: str = ""

    @classmethod
    def broken(cls, setting: str, why: str) -> "Channel":
        """A channel whose setting is wrong: each alert over it fails with the reason."""
        return cls(setting, lambda _: why, wrong=f"{setting}: {why}")


def send_all(channels: Sequence[Channel], alert: Alert) -> dict[str, str | None]:
    """The alert over every channel; why not, by channel. One that fails stops no other.

    It is tried twice: an operator would rather read it twice than not at all.
    """
    return {channel.name: channel.send(alert) and channel.send(alert) for channel in channels}


def channels(settings: AlertSettings) -> list[Channel]:
    """Where these settings send alerts: nowhere, if they name nobody.

    A wrong number or address, or a provider without its key, silences no other.
    """
    return [*_text_messages(settings), *_services(settings)]


def _text_messages(settings: AlertSettings) -> list[Channel]:
    if not settings.numbers:
        return []
    # Loaded here: who only mails needs no table of the world's phone numbers.
    from leaseup_dagster.sms.phone_numbers import PhoneProblem, mask, to_e164  # noqa: PLC0415

    try:
        sms = load(SmsSettings)
    except SettingsError as error:
        return [Channel.broken("ALERT_SMS_NUMBERS", str(error))]
    if missing := sms.missing():
        why = f"SMS configuration missing: {', '.join(missing)}"
        return [Channel.broken("ALERT_SMS_NUMBERS", why)]
    sender = sender_of(sms)

    def to(number: str) -> Callable[[Alert], str | None]:
        def send(alert: Alert) -> str | None:
            text = to_gsm7(alert.as_text_message())
            outcome = sender.send(number, text, valid_seconds=VALID_SECONDS)
            return None if isinstance(outcome, Sent) else outcome.why

        return send

    found = []
    for position, typed in enumerate(settings.numbers, start=1):
        number = to_e164(typed)
        found.append(
            Channel.broken("ALERT_SMS_NUMBERS", f"number {position}: {number.value}")
            if isinstance(number, PhoneProblem)
            else Channel(f"text to {mask(number)}", to(number))
        )
    return found


def _services(settings: AlertSettings) -> list[Channel]:
    addresses = settings.urls.get_secret_value()
    if not addresses.strip():
        return []
    from apprise import Apprise  # noqa: PLC0415

    # What it logs quotes addresses, which hold tokens.
    logging.getLogger("apprise").disabled = True
    found = []
    for position, address in enumerate(addresses.split(), start=1):
        service = Apprise.instantiate(address)
        found.append(
            Channel(f"{service.service_name} {position}", _over(service))
            if service
            else Channel.broken(
                "ALERT_URLS",
                f"Apprise does not know address {position}; it is written like slack://… or"
                " mailto://…, several are separated by blanks",
            )
        )
    return found


def _over(service: "object") -> Callable[[Alert], str | None]:
    def send(alert: Alert) -> str | None:
        body = f"{alert.body}\n{alert.link}"
        try:
            accepted = service.notify(title=f"LeaseUp: {alert.subject}", body=body)  # type: ignore[attr-defined]
        except Exception as error:
            return f"{type(error).__name__}"
        return None if accepted else "it did not take the message"

    return send
