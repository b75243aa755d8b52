"""The landlord of a random history is notified of what is new; and the promise, written a second
time."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from leaseup_dagster.sandbox.smtp import Answers, text_of
from tests.faults.notifying import began, tell_landlords
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
_SENT = """SELECT id FROM invoice WHERE status NOT IN ('DRAFT', 'CANCELLED')
    AND coalesce("paymentRequestUrl", '') <> ''"""


class ToldLandlords:
    """A rule of a history. It has a `world`, and `sent`: the invoices that were there to notify of
    when the landlord was notified."""

    def begin_telling(self: Any) -> None:
        self.sent: set[object] = set()
        began(self.world.connection)

    @rule(days=st.sampled_from([0, 1, 1, 3]), what=WHAT)
    def the_landlord_is_told(self: Any, days: int, what: str) -> None:
        self._days_pass(days)
        self.tell(f"the landlord is notified: {what}")
        self.tally.events[f"landlords notified, {what}"] += 1
        self._tell_landlords(what)

    def _tell_landlords(self: Any, what: str) -> None:
        asked = "SELECT state FROM leaseup_dagster.landlord_email WHERE day = :day"
        before = self.world.rows(asked, day=self.today)
        there = {row[0] for row in self.world.rows(_SENT)}
        self.world.mail.answers = Answers(**ANSWERS[what])
        tell_landlords(self.world, self.today, lambda: None)
        self.world.mail.answers = Answers()
        left = [state in ("sent", "unknown") for (state,) in self.world.rows(asked, day=self.today)]
        # One e-mail a day: what came after it goes into the next.
        if any(left) and not any(state in ("sent", "unknown") for (state,) in before):
            self.sent |= there
        lines = sum(map(_invoices_in, map(text_of, self.world.mail.caught)))
        if lines != len(self.sent):
            kind = Bothered if lines > len(self.sent) else Loss
            raise kind(
                f"the landlord was notified of {lines} invoices, and {len(self.sent)} were sent"
            )
        if what == "healthy" and not before and there - self.sent:
            raise Loss(f"the landlord was not notified of {there - self.sent}")


def _invoices_in(letter: str) -> int:
    """Lines of the section about invoices."""
    _, found, rest = letter.partition("INVOICES SENT")
    section = rest.partition("\n\n")[0] if found else ""
    return sum(line.startswith("- ") for line in section.splitlines())
