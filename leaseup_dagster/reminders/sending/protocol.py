"""The at-most-once protocol for one text. No SQL and no HTTP in here, only their order.

claim, committed → send → record. A claimed row is never sent for again unless it is proven that
nothing was sent: what a crash or a lost answer leaves behind counts as sent. Searched for later, it
may become sent or refused, never due again.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from leaseup_dagster.as_of import JOHANNESBURG
from leaseup_dagster.database import complaints
from leaseup_dagster.database.recording import Recording
from leaseup_dagster.invoicing.payments import records
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.reminders import ledger
from leaseup_dagster.reminders.keys import AFTER, Kind, ReminderResult
from leaseup_dagster.reminders.ledger import Claim, Ending
from leaseup_dagster.reminders.rules.message import template_of, words
from leaseup_dagster.reminders.rules.quiet_hours import QuietHours
from leaseup_dagster.reminders.rules.recipients import Part, Text
from leaseup_dagster.reminders.sending.circuit_breaker import CircuitBreaker, name_of
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
        """Whether nobody may be texted at this moment."""
        return QuietHours.of(self.rules).hold_at(self.clock())

    def deliver(
        self, text: Text, run_id: str, breaker: CircuitBreaker, *, heed_hours: bool
    ) -> list[ReminderResult]:
        """Send one text, or say why not. Never raises: one bad row stops no other."""
        if self.paystack.stop.is_set():
            return text.results(Kind.LEFT)
        if self.sender is None:
            return text.results(Kind.PLANNED)
        if not breaker.begin():
            why = breaker.tripped
            return text.results(Kind.HELD, why) if why else text.results(Kind.LEFT)
        try:
            return self._in_turn(self.sender, text, run_id, breaker, heed_hours)
        except DBAPIError as error:
            return text.results(Kind.BROKEN, complaints.in_words(error))
        except Exception as error:  # its message may quote a row
            return text.results(Kind.BROKEN, type(error).__name__)

    def _in_turn(
        self, sender: Sender, text: Text, run_id: str, breaker: CircuitBreaker, heed_hours: bool
    ) -> list[ReminderResult]:
        """Claim, send, record. The circuit breaker hears how it ended, whatever happens here."""
        outcome: Outcome | None = None
        try:
            if self.recording.hold:
                return text.results(Kind.HELD, self.recording.hold)
            if heed_hours and self.is_quiet():
                return text.results(Kind.QUIET_HOURS)
            send_before = time.monotonic() + self.send_window_seconds
            claimed = self._claim(text, run_id, sender.provider)
            if claimed.text is not None:
                outcome = self._send(sender, text.number, claimed.body, send_before)
        finally:
            breaker.end(outcome)
        if claimed.text is None or outcome is None:
            return claimed.others
        ending = ending_of(outcome)
        with self.recording.of_one(), self.engine.begin() as connection:
            for claim in claimed.claims:
                ledger.record(connection, claim, ending)
        informed = claimed.text.results(
            AFTER[ending.outcome],
            ending.error or "",
            message_id=ending.message_id or "",
            code=ending.code or "",
        )
        return informed + claimed.others

    def _claim(self, text: Text, run_id: str, provider: str) -> "_Claimed":
        """Committed before the text leaves: after a crash nobody sends it again.

        Each part that may not be sent any more says why, and the others are sent without it.
        """
        others: list[ReminderResult] = []
        of_number = number_hash(text.number)
        with self.engine.begin() as connection:
            ledger.one_at_a_time(connection, of_number)
            parts = []
            for part in sorted(text.parts, key=lambda part: part.invoice_id):
                wanted = _claim_of(text, part, run_id)
                # Locked: two runs that see different tenants of it claim one after the other.
                if not records.lock_if_open(connection, part.invoice_id):
                    others.append(text.result(part, Kind.NO_LONGER_LATE))
                elif ledger.number_was_texted(connection, wanted) or ledger.texted_since(
                    # Another run, of another day, may have texted since this one checked.
                    connection,
                    wanted,
                    self.rules.repeat_days,
                ):
                    others.append(text.result(part, Kind.ALREADY_TEXTED))
                else:
                    parts.append(part)
            if parts and ledger.texted_on(connection, of_number, text.as_of):
                return _Claimed(others=others + text.about(parts).results(Kind.TEXTED_TODAY))
            allowed = text.about(part for part in text.parts if part in parts)
            return self._write_marks(connection, allowed, run_id, provider, others)

    def _write_marks(
        self, connection: Connection, text: Text, run_id: str, provider: str,
        others: list[ReminderResult],
    ) -> "_Claimed":  # fmt: skip
        """What it says is what it is about: a part that cannot be claimed is left out of it."""
        while text.parts:
            attempt = connection.begin_nested()
            claimed = self._words_and_claims(connection, text, run_id, provider)
            refused = [part for part, claim in zip(text.parts, claimed.claims, strict=True)
                       if not claim.tenant_ids]  # fmt: skip
            if not refused:
                attempt.commit()
                return replace(claimed, others=others)
            attempt.rollback()
            others += [text.result(part, Kind.ALREADY_TEXTED) for part in refused]
            text = text.about(part for part in text.parts if part not in refused)
        return _Claimed(others=others)

    def _words_and_claims(
        self, connection: Connection, text: Text, run_id: str, provider: str
    ) -> "_Claimed":
        template = template_of(text.facts, self.rules.template, self.rules.template_several)
        body = words(template, text.facts)
        claims: list[Claim] = []
        for part in text.parts:
            wanted = replace(
                _claim_of(text, part, run_id),
                text_hash=fingerprint(body),
                template_hash=fingerprint(template),
                # The provider charges once, whatever the text is about.
                segments=0 if claims else segments(body),
                provider=provider,
                text=body if self.keep_text else None,
            )
            claims.append(replace(wanted, tenant_ids=ledger.claim(connection, wanted)))
        parts = (replace(part, tenant_ids=claim.tenant_ids)
                 for part, claim in zip(text.parts, claims, strict=True))  # fmt: skip
        return _Claimed(text.about(parts), body, tuple(claims))

    def _send(self, sender: Sender, number: str, body: str, send_before: float) -> Outcome:
        # The last check: a process that was paused after its claim drops it instead of sending.
        if self.paystack.stop.is_set() or time.monotonic() >= send_before:
            return NotSent("not sent: asked to stop, or its claim expired")
        hours = QuietHours.of(self.rules)
        try:
            return sender.send(number, body, valid_seconds=hours.seconds_until(self.clock()))
        except Exception as error:  # nothing is proven, so it may have been sent
            return Unknown(f"the sender failed ({type(error).__name__})")


@dataclass(frozen=True)
class _Claimed:
    """What may leave, and what of it may not; `text` is None if nothing may."""

    text: Text | None = None
    body: str = field(default="", repr=False)
    claims: tuple[Claim, ...] = ()
    others: list[ReminderResult] = field(default_factory=list)


def _claim_of(text: Text, part: Part, run_id: str) -> Claim:
    return Claim(
        invoice_id=part.invoice_id,
        tenant_ids=part.tenant_ids,
        step=part.step,
        as_of=text.as_of,
        number=mask(text.number),
        number_hash=number_hash(text.number),
        text_hash="",
        amount_cents=part.facts.amount_cents,
        run_id=run_id,
    )


def ending_of(outcome: Outcome) -> Ending:
    """How the ledger records a provider's answer."""
    name = name_of(outcome)
    return Ending(
        state=_STATES[name],
        outcome=name,
        message_id=outcome.message_id if isinstance(outcome, Sent) else None,
        code=outcome.code if isinstance(outcome, NumberRefused) else None,
        error=None if isinstance(outcome, Sent) else outcome.why,
    )
