"""The landlord of a random history is told what is new; and the promise, written a second time."""

from threading import Event
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from leaseup_dagster.landlords import told
from leaseup_dagster.landlords.delivery import Kind, LandlordDelivery
from leaseup_dagster.landlords.letter import Letters
from leaseup_dagster.mail.sender import SmtpSender
from leaseup_dagster.sandbox.smtp import Answers, text_of
from leaseup_dagster.settings import MailSettings
from tests.faults.promises import Bothered, Loss

ANSWERS: dict[str, dict[str, Any]] = {
    "healthy": {},
    "greylisted once": {"rcpt": "451 later", "times": 1},
    "greylisted all day": {"rcpt": "451 later"},
    "the address is refused": {"rcpt": "550 no"},
    "lost before the message": {"breaks": "before", "times": 1},
    "lost after the message": {"breaks": "after"},
}
WHAT = st.sampled_from(["healthy", "healthy", *ANSWERS])
_BEGAN = "INSERT INTO leaseup_dagster.landlord_event VALUES ('', 'began', '', '2020-01-01')"
_SENT = """SELECT id FROM invoice WHERE status NOT IN ('DRAFT', 'CANCELLED')
    AND coalesce("paymentRequestUrl", '') <> ''"""


class ToldLandlords:
    """A rule of a history. It has a `world`, and `sent`: the invoices that were there to be told
    of when the landlord was told."""

    def begin_telling(self: Any) -> None:
        self.sent: set[object] = set()
        self.world.connection.exec_driver_sql(_BEGAN)

    @rule(days=st.sampled_from([0, 1, 1, 3]), what=WHAT)
    def the_landlord_is_told(self: Any, days: int, what: str) -> None:
        self._days_pass(days)
        self.tell(f"the landlord is told: {what}")
        self.tally.events[f"landlords told, {what}"] += 1
        self._tell_landlords(what)

    def _tell_landlords(self: Any, what: str) -> None:
        asked = "SELECT state FROM leaseup_dagster.landlord_email WHERE day = :day"
        before = self.world.rows(asked, day=self.today)
        there = {row[0] for row in self.world.rows(_SENT)}
        self._run(what)
        left = [state in ("sent", "unknown") for (state,) in self.world.rows(asked, day=self.today)]
        # One e-mail a day: what came after it is told on the next.
        if any(left) and not any(state in ("sent", "unknown") for (state,) in before):
            self.sent |= there
        lines = sum(map(_invoices_in, map(text_of, self.world.mail.caught)))
        if lines != len(self.sent):
            kind = Bothered if lines > len(self.sent) else Loss
            raise kind(f"the landlord was told of {lines} invoices, and {len(self.sent)} were sent")
        if what == "healthy" and not before and there - self.sent:
            raise Loss(f"the landlord was not told of {there - self.sent}")

    def _run(self: Any, what: str) -> None:
        self.world.mail.answers = Answers(**ANSWERS[what])
        settings = MailSettings(email_from="rent@leaseup.example")
        sender = SmtpSender(self.world.mail.url(), 5)
        for _ in range(2):  # what was not taken is tried again within the run
            with self.world.engine() as engine:
                delivery = LandlordDelivery(engine, sender, Letters(settings), Event())
                with engine.begin() as connection:
                    told.begin(connection, self.today, settings.statuses)
                    news = told.news(connection, self.today, settings.statuses)
                results = delivery.tell_all(news, self.today, run_id="run", width=1, seconds=60)
            if not any(result.kind is Kind.DEFERRED for result in results):
                break
        self.world.mail.answers = Answers()


def _invoices_in(letter: str) -> int:
    """Lines of the section about invoices."""
    _, found, rest = letter.partition("INVOICES SENT")
    section = rest.partition("\n\n")[0] if found else ""
    return sum(line.startswith("- ") for line in section.splitlines())
