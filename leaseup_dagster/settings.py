"""Every environment variable the product reads: its type, default and the message when wrong.

Values are read when a run starts, not when the code is loaded, and a wrong one stops the run
before anything is read or written. Messages name the variable; they never repeat a secret.
"""

import re
from datetime import time, timezone
from ipaddress import ip_address
from string import Formatter
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

SEND_WINDOW_SECONDS = 10.0
"""A mark older than this is stale: its owner must not send any more."""


class SettingsError(Exception):
    """An environment variable is missing or wrong. The message names it and says what to do."""


class _Group(BaseSettings):
    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True, frozen=True)


_G = TypeVar("_G", bound=_Group)


def load(group: type[_G]) -> _G:
    """Read one group of settings from the environment.

    Raises SettingsError that names every wrong variable of the group, one per line.
    """
    try:
        return group()
    except ValidationError as error:
        raise SettingsError("\n".join(_message(group, e) for e in error.errors())) from None


def _message(group: type[_Group], error: Any) -> str:
    prefix = group.model_config.get("env_prefix", "")
    if not error["loc"]:  # a rule over several variables writes its own message
        return str(error["msg"]).removeprefix("Value error, ")
    variable = f"{prefix}{error['loc'][0]}".upper()
    if error["type"] == "missing":
        return f"{variable} environment variable is required"
    message = f"{variable}: {str(error['msg']).removeprefix('Value error, ')}"
    secret = "SecretStr" in str(group.model_fields[str(error["loc"][0])].annotation)
    return message if secret else f"{message} (it is {error['input']!r})"


class DatabaseSettings(_Group):
    """LeaseUp's PostgreSQL."""

    database_url: SecretStr


def _stripped(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


class DagsterSettings(_Group):
    """Dagster's own storage, which `dagster.yaml` reads."""

    dagster_postgres_url: SecretStr

    @model_validator(mode="after")
    def _check(self) -> "DagsterSettings":
        if not self.dagster_postgres_url.get_secret_value().startswith("postgresql+psycopg2://"):
            raise ValueError(
                "DAGSTER_POSTGRES_URL: must be written"
                " postgresql+psycopg2://user:password@host/database"
            )
        return self


class PaystackSettings(_Group):
    """Paystack: the keys pick the mode (test or live), the limits are per endpoint."""

    model_config = SettingsConfigDict(env_prefix="PAYSTACK_")

    # A file written on Windows, or by hand, leaves a line's end behind the value.
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


_STATUSES = {
    "ACTIVE", "NON_RENEWING", "ATTENTION", "DISABLED", "COMPLETED", "CANCELLED",
    "TRIAL_ACTIVE", "TRIAL_EXPIRED",
}  # fmt: skip


def _subscription_statuses(text: str) -> str:
    unknown = {part.strip() for part in text.split(",") if part.strip()} - _STATUSES
    if unknown:
        raise ValueError(
            f"unknown status {', '.join(sorted(unknown))}; known: {', '.join(sorted(_STATUSES))}"
        )
    return text


class TaskSettings(_Group):
    """How much a run takes on, and whom it bills."""

    model_config = SettingsConfigDict(env_prefix="TASK_")

    batch_size: int = Field(10, ge=1, le=100)
    check_days_ahead: int = Field(50, ge=0, le=365)
    max_new_invoices: int = Field(1000, ge=1)
    # Dagster ends a run after 300 seconds: the tag on each job says so.
    max_duration_seconds: int = Field(300, ge=10, le=300)
    landlord_statuses: Annotated[str, NoDecode, AfterValidator(_subscription_statuses)] = ""

    @property
    def served_landlord_statuses(self) -> tuple[str, ...]:
        """Landlord subscription statuses that are billed; empty means all, also none at all."""
        return tuple(part.strip() for part in self.landlord_statuses.split(",") if part.strip())

    @property
    def taking_seconds(self) -> float:
        """Seconds from its start in which a run begins new work.

        The rest is for what is in flight, and the report: at most the last minute.
        """
        return self.max_duration_seconds - min(60.0, 0.2 * self.max_duration_seconds)


class ExecutorSettings(_Group):
    """Where the steps of a run are executed, and how they get there."""

    task_executor: Literal["in_process", "multiprocess", "celery", "k8s"] = "in_process"
    celery_broker_url: SecretStr | None = None
    celery_result_backend: SecretStr | None = None
    celery_lost_after_seconds: int = Field(90, ge=1)

    @property
    def many_machines(self) -> bool:
        """Whether steps share no folder."""
        return self.task_executor in ("celery", "k8s")

    @property
    def result_backend(self) -> SecretStr | None:
        """Where the answers come back: Redis can do both, RabbitMQ has a way of its own."""
        if self.celery_result_backend or self.celery_broker_url is None:
            return self.celery_result_backend
        redis = self.celery_broker_url.get_secret_value().startswith("redis")
        return self.celery_broker_url if redis else SecretStr("rpc://")

    @model_validator(mode="after")
    def _check(self) -> "ExecutorSettings":
        if self.task_executor == "celery" and self.celery_broker_url is None:
            raise ValueError("CELERY_BROKER_URL environment variable is required by celery")
        return self


class SmsSettings(_Group):
    """Who sends the texts, if anybody: SMS_ENABLED=false plans and logs them only."""

    sms_enabled: bool = False
    sms_provider: Literal["twilio", "aws-sns"] | None = None
    sms_api_key: SecretStr = SecretStr("")
    sms_api_secret: SecretStr = SecretStr("")
    sms_from_number: str = ""
    sms_account_sid: str = ""
    sms_aws_region: str = "us-east-1"
    twilio_base_url: str = Field("https://api.twilio.com", pattern=r"^https?://\S+$")

    @model_validator(mode="after")
    def _check(self) -> "SmsSettings":
        if self.sms_enabled and (missing := self.missing()):
            raise ValueError(f"SMS configuration missing: {', '.join(missing)}")
        key = self.sms_api_key.get_secret_value()
        if self.sms_enabled and self.sms_provider == "twilio" and key[:2] not in ("AC", "SK"):
            raise ValueError(
                "SMS_API_KEY: must be Twilio's account SID (AC…) with its token in SMS_API_SECRET,"
                " or an API key (SK…) with its secret and the account in SMS_ACCOUNT_SID"
            )
        return self

    def missing(self) -> list[str]:
        """The variables without which nothing can be sent."""
        if self.sms_provider is None:
            return ["SMS_PROVIDER"]
        needed = {
            "SMS_API_KEY": self.sms_api_key.get_secret_value(),
            "SMS_API_SECRET": self.sms_api_secret.get_secret_value(),
        }
        if self.sms_provider == "aws-sns" and not any(needed.values()):
            return []  # AWS's default chain finds a role
        if self.sms_provider == "twilio":
            needed["SMS_FROM_NUMBER"] = self.sms_from_number
        if self.sms_provider == "twilio" and needed["SMS_API_KEY"].startswith("SK"):
            needed["SMS_ACCOUNT_SID"] = self.sms_account_sid
        return [name for name, value in needed.items() if not value]


class AlertSettings(_Group):
    """Whom a failed run and a missing one are told to, beside Dagster's UI."""

    model_config = SettingsConfigDict(env_prefix="ALERT_")

    sms_numbers: SecretStr = SecretStr("")
    urls: SecretStr = SecretStr("")
    ui_url: str = Field("http://localhost:3000", pattern=r"^https?://\S+$")
    silence_hours: int = Field(26, ge=1, le=24 * 31)

    @property
    def numbers(self) -> list[str]:
        """Of the operators, as somebody typed them."""
        typed = self.sms_numbers.get_secret_value().split(",")
        return [number.strip() for number in typed if number.strip()]


class RunsSettings(_Group):
    """How long Dagster's own storage keeps what a run did. The ledgers keep it for ever."""

    model_config = SettingsConfigDict(env_prefix="RUNS_")

    retention_days: int = Field(400, ge=8)


class CommunicationsSettings(_Group):
    """What is kept of the texts that went out, and for how long."""

    model_config = SettingsConfigDict(env_prefix="COMMUNICATIONS_")

    keep_text: bool = Field(False, description="Keep the words of each text: personal data.")
    retention_days: int = Field(1095, ge=30, description="Three years.")


REMINDER_PLACEHOLDERS = (
    "first_name", "what", "amount", "place", "due_date", "days", "link", "landlord",
)  # fmt: skip
"""What REMINDER_TEMPLATE may name: first name, "rent", R8 500.00, unit and property, 1 Nov 2026,
days overdue, pay link, and who sends."""

_LONGEST_TEMPLATE = 600


def _template(text: str) -> str:
    try:
        fields = [part[1:] for part in Formatter().parse(text) if part[1] is not None]
    except ValueError as error:
        raise ValueError(f"is no template: {error}; write {{{{ for a brace") from None
    known = ", ".join(f"{{{name}}}" for name in REMINDER_PLACEHOLDERS)
    for name, form, conversion in fields:
        if name not in REMINDER_PLACEHOLDERS or form or conversion:
            raise ValueError(f"unknown placeholder {{{name}}}; known: {known}")
    if len(text) > _LONGEST_TEMPLATE:
        raise ValueError(f"must have at most {_LONGEST_TEMPLATE} characters")
    return text


def _hours(text: str) -> str:
    try:
        start, end = (time.fromisoformat(part.strip()) for part in text.split("-"))
    except ValueError:
        start = end = time(tzinfo=timezone.utc)
    if start.tzinfo or end.tzinfo:
        raise ValueError("must be two hours of the day, like 20:00-08:00; 00:00-00:00 for none")
    return text


class ReminderSettings(_Group):
    """When a late tenant is texted, and in which words."""

    model_config = SettingsConfigDict(env_prefix="REMINDER_")

    after_days: int = Field(3, ge=0, le=365, description="More than this many days overdue.")
    repeat_days: int = Field(7, ge=0, le=365, description="0: one text, no more.")
    max: int = Field(4, ge=1, le=100, description="Texts per invoice and tenant.")
    quiet_hours: Annotated[str, AfterValidator(_hours)] = "20:00-08:00"
    template: Annotated[str, AfterValidator(_template)] = (
        "{landlord}: Hi {first_name}, {what} of {amount} for {place}, due {due_date}, is unpaid."
        " Pay: {link} Ignore if paid."
    )

    @property
    def quiet_between(self) -> tuple[time, time]:
        """Hours of the day in Johannesburg: no text from the first until before the second."""
        start, end = (time.fromisoformat(part.strip()) for part in self.quiet_hours.split("-"))
        return start, end
