"""Texts without an answer, from earlier runs: search for them at the provider.

Finding one makes it sent or refused. Not finding it proves nothing: it stays unknown, which
counts as sent for ever.
"""

import threading
from dataclasses import dataclass

from leaseup_dagster.reminders import ledger
from leaseup_dagster.reminders.keys import SettledTexts
from leaseup_dagster.reminders.ledger import Unanswered
from leaseup_dagster.reminders.sending.circuit_breaker import FAILURE_THRESHOLD
from leaseup_dagster.reminders.sending.protocol import ReminderDelivery, ending_of
from leaseup_dagster.sms.phone_numbers import number_hash, to_e164
from leaseup_dagster.sms.sender import Outcome, Sender, Unknown
from leaseup_dagster.stopping import in_flight

MOST_SECONDS = 60.0


@dataclass(frozen=True)
class _LookUp:
    delivery: ReminderDelivery
    sender: Sender
    enough: threading.Event

    def settle(self, row: Unanswered) -> str:
        """The state the row has now."""
        if self.enough.is_set() or self.delivery.paystack.stop.is_set():
            return "unknown"
        ending = ending_of(self._look_up(row))
        with self.delivery.engine.begin() as connection:
            ledger.settle(connection, row, ending)
        return ending.state

    def _look_up(self, row: Unanswered) -> Outcome:
        number = to_e164(row.phone)
        if number_hash(number) != row.number_hash:
            return Unknown("no answer came, and the tenant's number has changed since")
        if not row.look_up:
            return Unknown("no answer came, and it was too long ago to search for it")
        return self.sender.look_up(number, row.text_hash, row.attempted_at)


def resolve_unanswered(delivery: ReminderDelivery, seconds: float) -> SettledTexts:
    """Search for texts of earlier runs that may have been sent, for at most so many seconds.

    It may take `MOST_SECONDS` of a run: today's texts matter more than yesterday's.
    """
    if delivery.sender is None or delivery.paystack.stop.is_set():
        return SettledTexts()
    with delivery.engine.connect() as connection:
        rows = ledger.unanswered(connection)
    enough = threading.Event()  # of its own: the run goes on after it
    states = in_flight(
        _LookUp(delivery, delivery.sender, enough).settle,
        rows,
        width=FAILURE_THRESHOLD,
        stop=enough,
        seconds=min(seconds, MOST_SECONDS),
    )
    return SettledTexts(states.count("sent"), states.count("refused"), states.count("unknown"))
