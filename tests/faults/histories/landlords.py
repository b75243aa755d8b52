"""Landlord e-mails in a random history, and an independent check of their promise."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from leaseup_dagster.sandbox.smtp import Answers, text_of
from tests.faults.promises import Loss, UnwantedMessage
from tests.faults.scenarios import landlords

ANSWERS: dict[str, dict[str, Any]] = {
    "healthy": {},
    "greylisted once": {"rcpt": "451 later", "times": 1},
    "greylisted all day": {"rcpt": "451 later"},
    "the address is refused": {"rcpt": "550 no"},
    "lost before the message": {"breaks": "before", "times": 1},
    "lost after the message": {"breaks": "after"},
}
WHAT = st.sampled_from(["healthy", "healthy", *ANSWERS])
_SENT = """SELECT id FROM invoice WHERE status NOT IN ('DRAFT', 'CANCELLED')
    AND coalesce("paymentRequestUrl", '') <> ''"""


class LandlordRules:
    """Rules of a history with a `world`. `sent`: the invoices that existed when the landlord was
    notified."""

    def begin_landlord_emails(self: Any) -> None:
        """Switch landlord e-mails on before the history begins."""
        self.sent: set[object] = set()
        landlords.begin_landlord_emails(self.world.connection)

    @rule(days=st.sampled_from([0, 1, 1, 3]), what=WHAT)
    def the_landlord_is_notified(self: Any, days: int, what: str) -> None:
        """A run of the landlord e-mails, with one of ANSWERS from the mail server."""
        self._days_pass(days)
        self.record(f"the landlord is notified: {what}")
        self.tally.events[f"landlords notified, {what}"] += 1
        self._notify_landlords(what)

    def _notify_landlords(self: Any, what: str) -> None:
        states = "SELECT state FROM leaseup_dagster.landlord_email WHERE day = :day"
        before = self.world.rows(states, day=self.today)
        existing = {row[0] for row in self.world.rows(_SENT)}
        self.world.mail.answers = Answers(**ANSWERS[what])
        landlords.notify_landlords(self.world, self.today, lambda: None)
        self.world.mail.answers = Answers()
        accepted = [
            state in ("sent", "unknown") for (state,) in self.world.rows(states, day=self.today)
        ]
        # One e-mail a day: later invoices go into the next one.
        if any(accepted) and not any(state in ("sent", "unknown") for (state,) in before):
            self.sent |= existing
        lines = sum(map(_invoices_in, map(text_of, self.world.mail.caught)))
        if lines != len(self.sent):
            kind = UnwantedMessage if lines > len(self.sent) else Loss
            raise kind(f"invoices in e-mails to the landlord: {lines}, sent: {len(self.sent)}")
        if what == "healthy" and not before and existing - self.sent:
            raise Loss(f"the landlord was not notified of {existing - self.sent}")


def _invoices_in(letter: str) -> int:
    """The number of invoices that an e-mail lists."""
    _, found, rest = letter.partition("INVOICES SENT")
    section = rest.partition("\n\n")[0] if found else ""
    return sum(line.startswith("- ") for line in section.splitlines())
