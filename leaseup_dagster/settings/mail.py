"""E-mails to landlords: whether, through which server, from and to whom."""

from urllib.parse import parse_qs, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from leaseup_dagster.settings.group import Group


class MailSettings(Group):
    """The daily e-mail to landlords. Off at first: LeaseUp's tasks may send theirs."""

    landlord_emails_enabled: bool = False
    smtp_url: SecretStr = SecretStr("")
    email_from: str = ""
    email_reply_to: str = ""
    landlord_email_statuses: str = Field("ACTIVE,NON_RENEWING", description="ALL: everybody.")
    landlord_emails_to: str = Field("", description="All of them to this address, to try it.")
    landlord_email_templates: str = Field("", description="A folder whose templates win.")
    leaseup_app_url: str = Field("", pattern=r"^(https?://\S+)?$")

    @field_validator("smtp_url")
    @classmethod
    def _readable(cls, value: SecretStr) -> SecretStr:
        url = value.get_secret_value()
        if not url:
            return value
        try:
            parts = urlsplit(url)
            known = parts.scheme in ("smtp", "smtps") and bool(parts.hostname)
            _ = parts.port
        except ValueError:
            known = False
        if not known:
            raise ValueError("must be written smtp://user:password@host:587 or smtps://…")
        if parse_qs(parts.query).get("starttls", ["true"])[0] not in ("true", "false"):
            raise ValueError("its ?starttls must be true or false")
        return value

    @model_validator(mode="after")
    def _complete(self) -> "MailSettings":
        needed = {"SMTP_URL": self.smtp_url.get_secret_value(), "EMAIL_FROM": self.email_from}
        missing = [name for name, value in needed.items() if not value]
        if self.landlord_emails_enabled and missing:
            raise ValueError(f"LANDLORD_EMAILS_ENABLED: missing {', '.join(missing)}")
        return self

    @property
    def statuses(self) -> tuple[str, ...]:
        """The subscriptions whose landlords are notified; none: all of them."""
        given = tuple(s.strip() for s in self.landlord_email_statuses.split(",") if s.strip())
        return () if given == ("ALL",) else given
