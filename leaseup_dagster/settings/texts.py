"""Text messages: who sends them, and what is kept of them."""

from typing import Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from leaseup_dagster.settings.group import Group


class SmsSettings(Group):
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


class CommunicationsSettings(Group):
    """What is kept of the texts that went out, and for how long."""

    model_config = SettingsConfigDict(env_prefix="COMMUNICATIONS_")

    keep_text: bool = Field(False, description="Keep the words of each text: personal data.")
    retention_days: int = Field(1095, ge=30, description="Three years.")
