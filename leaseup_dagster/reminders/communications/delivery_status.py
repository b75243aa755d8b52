"""Asks the provider what became of texts it took. No SQL and no HTTP in here, only their order.

Accepted is not delivered. Whatever the answer, nothing is sent again: it is evidence, and it tells
a person which numbers to correct.
"""

import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from sqlalchemy import Engine

from leaseup_dagster.reminders.communications import record
from leaseup_dagster.sms.sender import Delivery, NoDelivery, Sender
from leaseup_dagster.stopping import in_flight

ASK_FOR = timedelta(days=7)
"""A provider has given up on a text long before."""

AT_MOST = 2_000
AT_ONCE = 3


@dataclass(frozen=True)
class DeliveryStatuses:
    """How many texts have which status now, and why others could not be asked about."""

    statuses: Counter[str] = field(default_factory=Counter)
    not_asked: int = 0
    why: str = ""


@dataclass(frozen=True)
class _Question:
    engine: Engine
    sender: Sender
    since: datetime
    enough: threading.Event

    def ask(self, message_id: str) -> Delivery | NoDelivery:
        if self.enough.is_set():
            return NoDelivery("not asked")
        answer = self.sender.delivery_of(message_id)
        if isinstance(answer, NoDelivery) and answer.give_up:
            self.enough.set()
            return answer
        status, code = (
            (answer.status, answer.code) if isinstance(answer, Delivery) else (None, None)
        )
        with self.engine.begin() as connection:
            record.record_delivery(connection, message_id, self.since, status, code)
        return answer


def update(engine: Engine, sender: Sender, seconds: float) -> DeliveryStatuses:
    """Ask about at most `AT_MOST` undecided texts, `AT_ONCE` at once, for so many seconds.

    The first answer that holds for all of them, such as a wrong key, ends it.
    """
    since = datetime.now(tz=timezone.utc) - ASK_FOR
    with engine.connect() as connection:
        waiting = record.undecided(connection, sender.provider, since, AT_MOST)
    enough = threading.Event()
    answers = in_flight(
        _Question(engine, sender, since, enough).ask,
        waiting,
        width=AT_ONCE,
        stop=enough,
        seconds=seconds,
    )
    known = [answer for answer in answers if isinstance(answer, Delivery)]
    without_status = [answer for answer in answers if isinstance(answer, NoDelivery)]
    first = next(
        (a.why for a in without_status if a.give_up),
        without_status[0].why if without_status else "",
    )
    return DeliveryStatuses(Counter(answer.status for answer in known), len(without_status), first)
