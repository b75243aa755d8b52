"""Paystack: keys, limits, and the times that the protocol rests on."""

import re
from ipaddress import ip_address
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from leaseup_dagster.settings.group import Group

SEND_WINDOW_SECONDS = 10.0
"""A claim older than this is stale: its owner must not send any more."""


def _stripped(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


class PaystackSettings(Group):
    """Paystack: the keys pick the mode (test or live), the limits are per endpoint."""

    model_config = SettingsConfigDict(env_prefix="PAYSTACK_")

    # A file written on Windows, or manually, leaves a line's end behind the value.
    secret_key: Annotated[SecretStr, BeforeValidator(_stripped)]
    public_key: str = ""
    base_url: str = Field("https://api.paystack.co", pattern=r"^https?://\S+$")
    rate_limit: int | None = Field(None, ge=1, description="Requests per minute and endpoint.")
    # At most the minute that a run keeps for what is in flight.
    timeout_seconds: float = Field(30, gt=0, le=60)
    settle_seconds: float = Field(120, gt=0)
    send_notification: bool = True

    @property
    def live(self) -> bool:
        """Whether the key is a live one."""
        return self.secret_key.get_secret_value().startswith("sk_live_")

    @property
    def requests_per_minute(self) -> int:
        """Paystack's own limit unless `PAYSTACK_RATE_LIMIT` says otherwise."""
        return self.rate_limit or (600 if self.live else 100)

    @model_validator(mode="after")
    def _check(self) -> "PaystackSettings":
        if not re.fullmatch(r"sk_(test|live)_\S+", self.secret_key.get_secret_value()):
            raise ValueError(
                "PAYSTACK_SECRET_KEY: must be a secret key, which starts with sk_test_ or sk_live_"
            )
        if self.public_key and self.public_key.startswith("pk_live_") != self.live:
            raise ValueError(
                "PAYSTACK_PUBLIC_KEY: is of another mode (test or live) than PAYSTACK_SECRET_KEY"
            )
        if self.live and _is_no_real_paystack(self.base_url):
            raise ValueError(
                "PAYSTACK_BASE_URL: is not Paystack's but a stand-in's, on this machine or"
                " unencrypted, and PAYSTACK_SECRET_KEY is a live key. Unset PAYSTACK_BASE_URL,"
                " or use a test key"
            )
        least = SEND_WINDOW_SECONDS + self.timeout_seconds
        if self.settle_seconds < least:
            raise ValueError(
                f"PAYSTACK_SETTLE_SECONDS: must be at least {least:g}: the"
                f" {SEND_WINDOW_SECONDS:g} s in which a request may leave, and"
                " PAYSTACK_TIMEOUT_SECONDS; or an invoice could be sent twice"
            )
        return self


def _is_no_real_paystack(base_url: str) -> bool:
    """On this machine, as the sandbox's is, or where anybody on the way could read the key."""
    url = urlsplit(base_url)
    host = (url.hostname or "").rstrip(".")
    if url.scheme != "https" or host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
