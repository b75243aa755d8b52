"""The words of an e-mail: news and templates to a message. Pure but for reading the templates.

A person who wants other words puts `daily.txt` or `daily.html` into a folder of their own and names
it in LANDLORD_EMAIL_TEMPLATES.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr
from typing import Any

from jinja2 import (
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PackageLoader,
    StrictUndefined,
    TemplateError,
    select_autoescape,
)

from leaseup_dagster.landlords.news import Kind, News
from leaseup_dagster.money import format_rands
from leaseup_dagster.settings import MailSettings, SettingsError

_WORDS = {
    Kind.INVOICE: ("invoice", "invoices"),
    Kind.PAYMENT: ("payment", "payments"),
    Kind.OVERDUE: ("overdue", "overdue"),
    Kind.ENDING: ("lease ends", "leases end"),
    Kind.WRONG: ("thing to put right", "things to put right"),
}


@dataclass(frozen=True)
class Letter:
    """What one landlord reads."""

    subject: str
    plain: str
    html: str


class Letters:
    """Writes them. `masked`: as a preview shows them, without a name."""

    def __init__(self, settings: MailSettings) -> None:
        own = settings.landlord_email_templates
        package = PackageLoader("leaseup_dagster.landlords")
        self._settings = settings
        self._templates = Environment(
            loader=ChoiceLoader([FileSystemLoader(own), package]) if own else package,
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {"rands": format_rands, "day": _day, "days": _days}

    def write(self, news: News, as_of: date, *, masked: bool = False) -> Letter:
        """Raises SettingsError, which names the template, when it cannot be filled in."""
        said: Callable[[str], str] = mask if masked else str
        context: dict[str, Any] = {
            "landlord": said(news.landlord.name),
            "as_of": as_of,
            "sections": {kind.value: news.of(kind) for kind in Kind},
            "totals": {kind.value: news.cents(kind) for kind in Kind},
            "app_url": self._settings.leaseup_app_url.rstrip("/"),
            "name": said,
        }
        return Letter(
            subject(news), self._filled("daily.txt", context), self._filled("daily.html", context)
        )

    def message(self, news: News, as_of: date) -> EmailMessage:
        """Ready to be sent to `address_of` the landlord."""
        letter = self.write(news, as_of)
        _, sender = parseaddr(self._settings.email_from)
        message = EmailMessage(policy=SMTP)
        message["Subject"] = letter.subject
        message["From"] = self._settings.email_from
        message["To"] = self.address_of(news)
        if self._settings.email_reply_to:
            message["Reply-To"] = self._settings.email_reply_to
        message["Message-ID"] = message_id(news.landlord.id, as_of, sender.rpartition("@")[2])
        _, reply_to = parseaddr(self._settings.email_reply_to or self._settings.email_from)
        message["List-Unsubscribe"] = f"<mailto:{reply_to}?subject=unsubscribe>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.plain)
        message.add_alternative(letter.html, subtype="html")
        return message

    def address_of(self, news: News) -> str:
        """The landlord's, or the one that all of them go to for a trial."""
        return self._settings.landlord_emails_to or news.landlord.address

    def _filled(self, name: str, context: dict[str, Any]) -> str:
        try:
            return self._templates.get_template(name).render(context)
        except TemplateError as error:
            raise SettingsError(
                f"LANDLORD_EMAIL_TEMPLATES: {name} cannot be filled in:"
                f" {type(error).__name__}: {error}"
            ) from None


def subject(news: News) -> str:
    """How much of what: `Rent: 2 payments, 1 invoice`. No name, no amount."""
    counted = []
    for kind, (one, many) in _WORDS.items():
        number = sum(1 for item in news.of(kind) if not item.notified)
        if number:
            counted.append(f"{number} {one if number == 1 else many}")
    return "Rent: " + ", ".join(counted)


def message_id(landlord_id: str, day: date, domain: str) -> str:
    """The same for the same e-mail, so that a mail server drops a doubled one."""
    digest = hashlib.sha256(f"{landlord_id}|{day}".encode()).hexdigest()[:32]
    return f"<rent-{digest}@{domain}>"


def mask(name: str) -> str:
    """`Thabo Mokoena` as `T… M…`."""
    return " ".join(f"{word[0]}…" for word in name.split())


def _day(value: date) -> str:
    return f"{value.day} {value:%B %Y}"


def _days(number: int) -> str:
    return f"{number} day{'' if number == 1 else 's'}"
