"""A landlord with rent, a mail server, and the real job on a day."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Connection, text

from leaseup_dagster.sandbox.builders import (
    a_landlord,
    a_lease,
    a_tenant,
    a_transaction,
    a_unit,
    an_invoice,
)
from leaseup_dagster.sandbox.smtp import Answers, SmtpStandIn, smtp_stand_in

FIRST = date(2026, 11, 2)


@pytest.fixture(scope="module")
def mail_server() -> Iterator[SmtpStandIn]:
    with smtp_stand_in() as server:
        yield server


@pytest.fixture
def inbox(mail_server: SmtpStandIn) -> SmtpStandIn:
    mail_server.caught.clear()
    mail_server.answers = Answers()
    return mail_server


@pytest.fixture
def mailing(settings: pytest.MonkeyPatch, inbox: SmtpStandIn) -> pytest.MonkeyPatch:
    settings.setenv("LANDLORD_EMAILS_ENABLED", "true")
    settings.setenv("SMTP_URL", inbox.url())
    settings.setenv("EMAIL_FROM", "LeaseUp <rent@leaseup.example>")
    return settings


Tell = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def tell(mailing: pytest.MonkeyPatch, run: Callable[..., Any]) -> Tell:
    """`tell(3)`: the job, three days after FIRST."""
    return lambda days: run(
        "tell_landlords", {"begin_telling": {"as_of": str(FIRST + timedelta(days=days))}}
    )


@dataclass
class Home:
    """One landlord's lease, with what happens to it."""

    connection: Connection
    landlord: str
    tenant: str
    lease: str

    def invoice(self, due: date, rands: float = 8500.0, **values: Any) -> str:
        made = {"paymentRequestUrl": "https://paystack.shop/pay/PRQ_x", "landlordId": self.landlord}
        return an_invoice(self.connection, self.lease, due, dueAmount=rands, **(made | values))

    def pays(self, invoice: str, rands: float = 8500.0, **values: Any) -> str:
        return a_transaction(self.connection, invoice, rands, **values)

    def change(self, sql: str, **values: Any) -> None:
        self.connection.execute(text(sql), values)


@pytest.fixture
def a_home(connection: Connection) -> Callable[..., Home]:
    def make(landlord: dict[str, Any] | None = None, **lease: Any) -> Home:
        who = a_landlord(connection, **(landlord or {}))
        tenant = a_tenant(connection, who, phone="0821234567")
        made = a_lease(
            connection, start=date(2026, 1, 1), landlord=who, tenants=[tenant],
            unit=a_unit(connection, who), **lease,
        )  # fmt: skip
        return Home(connection, who, tenant, made)

    return make


@pytest.fixture
def home(a_home: Callable[..., Home], tell: Tell) -> Home:
    """A landlord who began to be notified on FIRST."""
    made = a_home()
    assert tell(0).success
    return made


def at(day: int) -> datetime:
    """Noon, so many days after FIRST."""
    return datetime.combine(FIRST + timedelta(days=day), datetime.min.time()) + timedelta(hours=12)
