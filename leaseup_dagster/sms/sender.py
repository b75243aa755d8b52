"""The interface of a provider: one text, sent at most once, and what is known afterwards.

    Outcome
    ├── Sent              the provider took it
    ├── NumberRefused     it will not text this number; others may go on
    ├── NotSent           certainly not accepted: it may be sent again
    ├── AccountProblem    certainly not accepted, nor will any other be until a person acts
    └── Unknown           it may have been sent: counts as sent unless a lookup proves otherwise

Outcomes carry the provider's code and our own words, never the number or the text. *Not sent*
must be proven; whatever a provider does not recognise is Unknown.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

CONNECT_SECONDS = 5.0
READ_SECONDS = 15.0
LONGEST_VALIDITY_SECONDS = 36_000
"""How long a provider may hold a text back at most: ten hours."""


@dataclass(frozen=True)
class Sent:
    """Accepted under `message_id`, which is not the same as delivered."""

    message_id: str


@dataclass(frozen=True)
class NumberRefused:
    """`listed`: the code is known to speak of the number. One that is not may, when it repeats
    for every number, mean the account."""

    why: str
    code: str
    listed: bool = True


@dataclass(frozen=True)
class NotSent:
    """`retry_after_seconds`: how long the provider asked to be left alone, if it did."""

    why: str
    retry_after_seconds: float | None = None


@dataclass(frozen=True)
class AccountProblem:
    """`why` names the setting to check."""

    why: str


@dataclass(frozen=True)
class Unknown:
    """The text may have been sent: `why` says what happened instead of an answer."""

    why: str


@dataclass(frozen=True)
class Delivery:
    """What became of an accepted text, in the provider's own words: `delivered`, `undelivered` …

    `code` is the provider's, where it failed.
    """

    status: str
    code: str | None = None


@dataclass(frozen=True)
class NoDelivery:
    """The provider could not say. `give_up`: nor will it of any other text just now."""

    why: str
    give_up: bool = False


Outcome: TypeAlias = Sent | NumberRefused | NotSent | AccountProblem | Unknown


class Sender(Protocol):
    """A provider. One sender serves many threads; `send` never repeats a request."""

    provider: str
    """Its name, as SMS_PROVIDER has it."""

    def send(self, number: str, text: str, *, valid_seconds: int) -> Outcome:
        """Text an E.164 number. The provider drops what it could not deliver in `valid_seconds`,
        if that is known. Never raises for anything the provider or the network does."""
        ...

    def look_up(self, number: str, fingerprint: str, since: datetime) -> Outcome:
        """What became of the text with this fingerprint, sent to `number` after `since` (aware).

        Sent or NumberRefused if it was found, else Unknown: not finding it proves nothing.
        """
        ...

    def delivery_of(self, message_id: str) -> Delivery | NoDelivery:
        """What became of the text with this id. Never raises for anything the provider does."""
        ...

    def close(self) -> None:
        """Close the connections. Safe to call twice."""
        ...
