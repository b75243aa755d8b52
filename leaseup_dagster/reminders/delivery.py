"""The at-most-once protocol for one text. No SQL and no HTTP in here, only their order.

mark, committed → send → record. A marked row is never sent for again unless it is proven that
nothing was sent: what a crash or a lost answer leaves behind counts as sent. Looked for later, it
may turn into sent or refused, never into send again.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from leaseup_dagster.as_of import JOHANNESBURG
from leaseup_dagster.database import complaints
from leaseup_dagster.database.recording import Recording
from leaseup_dagster.invoicing import payments
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.reminders import ledger
from leaseup_dagster.reminders.fuse import Fuse, name_of
from leaseup_dagster.reminders.keys import AFTER, Kind, ReminderResult
from leaseup_dagster.reminders.ledger import Ending, Mark
from leaseup_dagster.reminders.message import words
from leaseup_dagster.reminders.quiet_hours import QuietHours
from leaseup_dagster.reminders.recipients import Text
from leaseup_dagster.settings import SEND_WINDOW_SECONDS, ReminderSettings
from leaseup_dagster.sms.gsm7 import fingerprint, segments
from leaseup_dagster.sms.phone_numbers import mask, number_hash
from leaseup_dagster.sms.sender import NotSent, NumberRefused, Outcome, Sender, Sent, Unknown

_STATES = {
    "sent": "sent", "refused": "refused", "unlisted": "refused", "unknown": "unknown",
    "not sent": "planned", "account": "planned",
}  # fmt: skip


def _now() -> datetime:
    return datetime.now(tz=JOHANNESBURG)


@dataclass(frozen=True)
class ReminderDelivery:
    """What it takes to text. `sender` is None when texts are switched off; `clock` gives aware
    instants. Safe to use from many threads, processes and machines at once."""

    engine: Engine
    paystack: PaystackClient
    sender: Sender | None
    rules: ReminderSettings
    clock: Callable[[], datetime] = _now
    keep_text: bool = False
    send_window_seconds: float = SEND_WINDOW_SECONDS
    recording: Recording = field(default_factory=Recording)

    def is_quiet(self) -> bool:
        return QuietHours.of(self.rules).hold_at(self.clock())

    def deliver(self, text: Text, run_id: str, fuse: Fuse, *, heed_hours: bool) -> ReminderResult:
        """Send one text, or say why not. Never raises: one bad row stops no other."""
        if self.paystack.stop.is_set():
            return text.result(Kind.LEFT)
        if self.sender is None:
            return text.result(Kind.PLANNED)
        if not fuse.begin():
            why = fuse.blown
            return text.result(Kind.HELD, why) if why else text.result(Kind.LEFT)
        try:
            return self._in_turn(self.sender, text, run_id, fuse, heed_hours)
        except DBAPIError as error:
            return text.result(Kind.BROKEN, complaints.in_words(error))
        except Exception as error:  # its message may quote a row
            return text.result(Kind.BROKEN, type(error).__name__)

    def _in_turn(
        self, sender: Sender, text: Text, run_id: str, fuse: Fuse, heed_hours: bool
    ) -> ReminderResult:
        """Mark, send, record. The fuse hears how it ended, whatever happens here."""
        outcome: Outcome | None = None
        try:
            if self.recording.hold:
                return text.result(Kind.HELD, self.recording.hold)
            if heed_hours and self.is_quiet():
                return text.result(Kind.QUIET_HOURS)
            send_before = time.monotonic() + self.send_window_seconds
            body = words(self.rules.template, text.facts)
            marked = self._mark(text, body, run_id, sender.provider)
            if isinstance(marked, Kind):
                return text.result(marked)
            outcome = self._send(sender, text.number, body, send_before)
        finally:
            fuse.end(outcome)
        ending = ending_of(outcome)
        committing = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        with self.recording.of_one(), committing.connect() as connection:
            ledger.record(connection, marked, ending)
        return replace(text, tenant_ids=marked.tenant_ids).result(
            AFTER[ending.outcome],
            ending.error or "",
            message_id=ending.message_id or "",
            code=ending.code or "",
        )

    def _mark(self, text: Text, body: str, run_id: str, provider: str) -> Mark | Kind:
        """Committed before the text leaves: after a crash nobody sends it again. Or why not."""
        wanted = Mark(
            invoice_id=text.invoice_id,
            tenant_ids=text.tenant_ids,
            step=text.step,
            as_of=text.as_of,
            number=mask(text.number),
            number_hash=number_hash(text.number),
            text_hash=fingerprint(body),
            amount_cents=text.facts.amount_cents,
            run_id=run_id,
            template_hash=fingerprint(self.rules.template),
            segments=segments(body),
            provider=provider,
            text=body if self.keep_text else None,
        )
        with self.engine.begin() as connection:
            # Locked: two runs that see different tenants of it mark one after the other.
            if not payments.lock_if_open(connection, text.invoice_id):
                return Kind.NO_LONGER_LATE
            if ledger.number_was_texted(connection, wanted):
                return Kind.ALREADY_TEXTED
            # Another run, of another day, may have texted since this one looked.
            if ledger.texted_since(connection, wanted, self.rules.repeat_days):
                return Kind.ALREADY_TEXTED
            tenant_ids = ledger.mark(connection, wanted)
        return replace(wanted, tenant_ids=tenant_ids) if tenant_ids else Kind.ALREADY_TEXTED

    def _send(self, sender: Sender, number: str, body: str, send_before: float) -> Outcome:
        # The last look: a process that was paused after its mark drops it instead of sending.
        if self.paystack.stop.is_set() or time.monotonic() >= send_before:
            return NotSent("not sent: told to stop, or its mark went stale")
        hours = QuietHours.of(self.rules)
        try:
            return sender.send(number, body, valid_seconds=hours.seconds_until(self.clock()))
        except Exception as error:  # nothing is proven, so it may have been sent
            return Unknown(f"the sender failed ({type(error).__name__})")


def ending_of(outcome: Outcome) -> Ending:
    name = name_of(outcome)
    return Ending(
        state=_STATES[name],
        outcome=name,
        message_id=outcome.message_id if isinstance(outcome, Sent) else None,
        code=outcome.code if isinstance(outcome, NumberRefused) else None,
        error=None if isinstance(outcome, Sent) else outcome.why,
    )
