"""Who is alerted of a failed run and of a missing morning."""

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from leaseup_dagster.settings.group import Group


class AlertSettings(Group):
    """Who is alerted of a failed run and of a missing one, beside Dagster's UI."""

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
