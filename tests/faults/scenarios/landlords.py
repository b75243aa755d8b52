"""Three landlords with news, and the run that notifies them."""

from collections import Counter
from contextlib import suppress
from datetime import date
from threading import Event

from sqlalchemy import Connection

from leaseup_dagster.landlords import ledger
from leaseup_dagster.landlords.delivery import Kind, LandlordDelivery
from leaseup_dagster.landlords.letter import Letters
from leaseup_dagster.mail.sender import SmtpSender
from leaseup_dagster.sandbox.builders import a_landlord, a_lease, a_tenant, a_unit, an_invoice
from leaseup_dagster.settings import MailSettings
from tests.faults.recovery import Abandoned, Heal, Scenario, run_op
from tests.faults.world import World

DAY = date(2026, 11, 5)
LANDLORDS = 3


def begin_landlord_emails(connection: Connection) -> None:
    """As if landlord e-mails were switched on long ago: the first run ever notifies nobody."""
    connection.exec_driver_sql(
        "INSERT INTO leaseup_dagster.landlord_event VALUES ('', 'began', '', '2020-01-01')"
    )


def notify_landlords(world: World, as_of: date, heal: Heal | None) -> None:
    """A run of tell_landlords without Dagster: the same calls in the same order."""
    settings = MailSettings(email_from="rent@leaseup.example")
    run_id = f"run-{next(world.runs)}"
    with world.engine() as engine:
        delivery = LandlordDelivery(
            engine, SmtpSender(world.mail.url(), 5), Letters(settings), Event()
        )

        def begin() -> bool:
            with engine.begin() as connection:
                ledger.begin(connection, as_of, settings.statuses)
            return False

        def notify() -> bool:
            with engine.begin() as connection:
                news = ledger.news(connection, as_of, settings.statuses)
            results = delivery.notify_all(news, as_of, run_id=run_id, width=1, seconds=60)
            return any(result.kind in (Kind.DEFERRED, Kind.BROKEN) for result in results)

        with suppress(Abandoned):
            for act in (begin, notify):
                run_op(act, heal)


class LandlordScenario(Scenario):
    """`victim` is the landlord whose e-mail fails when only one does."""

    def __init__(self, world: World) -> None:
        super().__init__(world, DAY)
        self.inbox = world.mail
        self.maybe_lost: set[str] = set()
        """Addresses whose e-mail may have been lost: each got one or none."""
        begin_landlord_emails(world.connection)
        self.addresses = [self._a_landlord(n) for n in range(1, LANDLORDS + 1)]
        self.victim = self.addresses[1]
        self._a_landlord(9, paystackSubscriptionStatus="CANCELLED")

    def _a_landlord(self, number: int, **values: str) -> str:
        address = f"owner{number}@example.com"
        landlord = a_landlord(self.world.connection, email=address, **values)
        tenant = a_tenant(self.world.connection, landlord, phone=f"082100000{number}")
        lease = a_lease(
            self.world.connection, start=date(2026, 1, 1), landlord=landlord, tenants=[tenant],
            unit=a_unit(self.world.connection, landlord),
        )  # fmt: skip
        an_invoice(
            self.world.connection, lease, date(2026, 12, 1), landlordId=landlord,
            paymentRequestUrl="https://paystack.shop/pay/PRQ_x",
        )  # fmt: skip
        return address

    def run(self, as_of: date, heal: Heal | None) -> None:
        """One run. Without `heal` it ends at its first failure."""
        notify_landlords(self.world, as_of, heal)

    def notified(self) -> Counter[str]:
        """How many e-mails each address got."""
        return Counter(str(message["To"]) for message in self.inbox.caught)

    def check_nothing_twice(self) -> None:
        """No address got two e-mails."""
        assert set(self.notified().values()) <= {1}, self.notified()

    def check_others_are_notified(self) -> None:
        """I4: the other landlords were notified by the run in which one e-mail failed."""
        assert self.notified().total() >= LANDLORDS - 1, self.notified()

    def check(self) -> None:
        """Every landlord was notified, except those whose e-mail may have been lost and those
        without a subscription. No row is left in the state `sending`."""
        self.check_nothing_twice()
        assert set(self.notified()) | self.maybe_lost == set(self.addresses), (
            self.notified(),
            self.maybe_lost,
        )
        states = self.world.rows("SELECT DISTINCT state FROM leaseup_dagster.landlord_email")
        assert {state for (state,) in states} <= {"sent", "unknown", "deferred", "refused"}, states
