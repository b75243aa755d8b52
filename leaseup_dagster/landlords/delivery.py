"""The protocol for one landlord's e-mail: claim, committed → send → record. Only their order.

At most once: a mail server has no idempotency key. What certainly was not accepted is sent again;
what may have been accepted counts as notified, and a person sees it in the report.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from threading import Event

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from leaseup_dagster.database import complaints
from leaseup_dagster.landlords import ledger
from leaseup_dagster.landlords.letter import Letters
from leaseup_dagster.landlords.news import News
from leaseup_dagster.mail.sender import (
    Accepted,
    AccountProblem,
    Deferred,
    Refused,
    SmtpSender,
)
from leaseup_dagster.settings import SettingsError
from leaseup_dagster.stopping import in_flight

_ADDRESS = re.compile(r"[!-~]+@[!-~]+\.[!-~]+")
_SEVERAL = re.compile(r"[,;<>()]")


class Kind(Enum):
    """What became of one landlord's e-mail."""

    NOTIFIED = "told"
    UNKNOWN = "unknown"  # perhaps notified: counts as notified
    REFUSED = "refused"  # this address, until it is corrected
    DEFERRED = "deferred"  # not accepted: may be notified later
    ACCOUNT = "account"  # it would be the same for everybody
    CLAIMED_ELSEWHERE = "taken"  # notified before today, or by another run
    BROKEN = "broken"  # our own side failed
    STOPPED = "stopped"


@dataclass(frozen=True)
class Result:
    """What became of one landlord's e-mail, and why."""

    landlord_id: str
    kind: Kind
    why: str = ""


@dataclass(frozen=True)
class LandlordDelivery:
    """Tells landlords; safe to use from many threads and runs at once."""

    engine: Engine
    sender: SmtpSender | None
    letters: Letters
    stop: Event

    def notify_all(
        self, news: Sequence[News], as_of: date, *, run_id: str, width: int, seconds: float
    ) -> list[Result]:
        """Each once, for so many seconds; whoever is left has the same news in the next run."""
        return in_flight(
            lambda one: self.notify(one, as_of, run_id),
            news,
            width=width,
            stop=self.stop,
            seconds=seconds,
        )

    def notify(self, news: News, as_of: date, run_id: str) -> Result:
        """Never raises: one bad row stops no other. Whoever the server refuses for everybody
        stops the rest."""
        landlord_id = news.landlord.id
        if self.stop.is_set() or self.sender is None:
            return Result(landlord_id, Kind.STOPPED)
        try:
            return self._claim_and_send(self.sender, news, as_of, run_id)
        except SettingsError as error:
            self.stop.set()
            return Result(landlord_id, Kind.ACCOUNT, str(error))
        except DBAPIError as error:
            return Result(landlord_id, Kind.BROKEN, complaints.in_words(error))
        except Exception as error:  # its message may quote a row
            return Result(landlord_id, Kind.BROKEN, type(error).__name__)

    def _claim_and_send(self, sender: SmtpSender, news: News, as_of: date, run_id: str) -> Result:
        landlord_id = news.landlord.id
        address = self.letters.address_of(news)
        message = self.letters.message(news, as_of) if _is_usable(address) else None
        with self.engine.begin() as connection:
            if not ledger.claim(connection, news, as_of, run_id):
                return Result(landlord_id, Kind.CLAIMED_ELSEWHERE)
        if message is None:
            result = Result(landlord_id, Kind.REFUSED, "its e-mail address in LeaseUp is unusable")
        else:
            result = _result(landlord_id, sender.send(message, address))
        if result.kind is Kind.ACCOUNT:
            self.stop.set()
        with self.engine.begin() as connection:
            ledger.settle(connection, landlord_id, as_of, _STATES[result.kind], result.why)
        return result


_STATES = {
    Kind.NOTIFIED: "sent",
    Kind.UNKNOWN: "unknown",
    Kind.REFUSED: "refused",
    Kind.DEFERRED: "deferred",
    Kind.ACCOUNT: "deferred",
}


def _result(landlord_id: str, outcome: object) -> Result:
    if isinstance(outcome, Accepted):
        return Result(landlord_id, Kind.NOTIFIED)
    kinds = {Refused: Kind.REFUSED, Deferred: Kind.DEFERRED, AccountProblem: Kind.ACCOUNT}
    kind = kinds.get(type(outcome), Kind.UNKNOWN)
    return Result(landlord_id, kind, str(getattr(outcome, "why", "")))


def _is_usable(address: str) -> bool:
    return bool(_ADDRESS.fullmatch(address)) and not _SEVERAL.search(address)
