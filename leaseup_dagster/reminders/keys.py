"""The small values that travel between the reminder steps: ids, dates, cents; nobody's data."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from itertools import chain, islice

from leaseup_dagster.batching import Place
from leaseup_dagster.pickled import pickled_as


class Kind(str, Enum):
    """What became of one invoice's tenants, or of one text. `meaning` is for people."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> "Kind":
        """Each member is its stored value, with a `meaning` for people."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    TEXTED = "texted", "The provider took the text."
    PLANNED = "planned", "SMS_ENABLED is false: it would have been sent."
    IN_THE_SAME_TEXT = (
        "in the same text",
        "The text about an older invoice names it, and the sum of all.",
    )
    PAID = "paid meanwhile", "Paid at Paystack: marked PAID, not texted."

    NO_MOBILE = "no mobile number", "Correct the tenant's phone number in LeaseUp."
    NUMBER_REFUSED_BEFORE = (
        "number refused before",
        "The provider will not text this number. It is tried again when the number changes; after"
        " STOP with the next invoice; else after a month, or half a year where it is no mobile.",
    )
    ALREADY_TEXTED = (
        "already texted",
        "This reminder went to the tenant, or to the same number, before.",
    )
    TEXTED_TODAY = (
        "texted today",
        "The number has had a text today; one a person and day. The next run tells the rest.",
    )
    NO_LONGER_LATE = "no longer late", "Paid, cancelled or changed since the run began."
    REQUEST_GONE = (
        "payment request gone",
        "Archived or unknown at Paystack: whether it was paid cannot be known. If it is still"
        " owed, bill it again; if not, cancel the invoice in LeaseUp.",
    )
    NO_AMOUNT = "amount unreadable", "The amount is not a number. Correct it on the invoice."
    QUIET_HOURS = (
        "quiet hours",
        "REMINDER_QUIET_HOURS. The next run texts them, or one with ignore_quiet_hours: true.",
    )

    REFUSED = "refused", "The provider will not text this number. Correct it in LeaseUp."
    UNKNOWN = (
        "unknown",
        "The provider did not answer: it may have been sent, so it is not repeated. The next run"
        " searches for it.",
    )
    NOT_SENT = "not sent", "Certainly not sent. The next run tries it again."
    ACCOUNT = "account", "The account or its settings: put right what is named."
    UNREACHABLE = (
        "Paystack unreachable",
        "Whether it was paid cannot be known: no text today. The next run asks again.",
    )
    BROKEN = "broken", "Our own side failed; the ledger says where it stands."
    HELD = "held back", "The run stopped texting. The next run goes on."
    LEFT = "left", "The run was asked to stop or is out of time. The next run goes on."

    @property
    def worth_another_try(self) -> bool:
        """Whether the same step may end otherwise if it is tried again."""
        return self in (Kind.NOT_SENT, Kind.UNREACHABLE, Kind.BROKEN)

    @property
    def fails_the_run(self) -> bool:
        """A text that is due did not go out, and it is not the number's fault."""
        return self in (Kind.NOT_SENT, Kind.ACCOUNT, Kind.UNREACHABLE, Kind.BROKEN, Kind.HELD)

    @property
    def failed(self) -> bool:
        """Whether a text that was due did not go out, or may not have."""
        return self.fails_the_run or self in (Kind.REFUSED, Kind.UNKNOWN)


AFTER = {
    "sent": Kind.TEXTED,
    "refused": Kind.REFUSED,
    "unlisted": Kind.REFUSED,
    "unknown": Kind.UNKNOWN,
    "not sent": Kind.NOT_SENT,
    "account": Kind.ACCOUNT,
}
"""What became of a text, by the ledger's name for the provider's answer."""


@dataclass(frozen=True)
class ReminderDay:
    """The day a run works for, and its config."""

    as_of: date
    marked_overdue: int
    ignore_quiet_hours: bool
    # So many texts a person has confirmed.
    confirm_up_to: int = 0


@pickled_as("leaseup_dagster.reminders.cadence.LastText")
@dataclass(frozen=True)
class LastText:
    """The newest text about an invoice to a tenant: its step, and the day it was for."""

    step: int
    day: date


@pickled_as("leaseup_dagster.reminders.keys.Chased")
@dataclass(frozen=True)
class OverdueInvoice:
    """A late invoice and one of its tenants, and when they were last texted about it. `None` cents:
    an amount that cannot be read."""

    invoice_id: str
    tenant_id: str
    due_date: date
    last: LastText | None
    lease_id: str = ""
    landlord_id: str = ""
    due_cents: int | None = None


@dataclass(frozen=True)
class LateInvoices:
    """What a run found: how many are late, and whom to text about which of them.

    `people` are the invoices of one person, or of several who share some: one text's parts.
    """

    as_of: date
    late: int
    waiting: int
    finished: int
    people: tuple[tuple[str, ...], ...]
    # Due as well, but more than one run takes on.
    left: int = 0
    # How many tenants are due a text about them.
    tenants: int = 0
    # What is due on all late invoices, in cents; and the oldest of them, for each of their tenants.
    cents: int = 0
    oldest: tuple[OverdueInvoice, ...] = ()

    @property
    def due(self) -> tuple[str, ...]:
        """The invoices about which somebody is due a text."""
        return tuple(invoice_id for invoices in self.people for invoice_id in invoices)


@dataclass(frozen=True)
class ReminderBatch:
    """The invoices one step texts about, those of one person together."""

    as_of: date
    place: Place
    invoice_ids: tuple[str, ...]
    ignore_quiet_hours: bool = False
    # How many of them each person has, or several who share some; none: one each.
    sizes: tuple[int, ...] = ()

    @classmethod
    def of(
        cls,
        as_of: date,
        place: Place,
        people: Sequence[tuple[str, ...]],
        ignore_quiet_hours: bool = False,
    ) -> "ReminderBatch":
        """A batch of these people's invoices."""
        invoice_ids = tuple(chain(*people))
        return cls(as_of, place, invoice_ids, ignore_quiet_hours, tuple(map(len, people)))

    @property
    def people(self) -> list[tuple[str, ...]]:
        """The invoices of each person, or of several who share some."""
        ids = iter(self.invoice_ids)
        return [tuple(islice(ids, size)) for size in self.sizes or [1] * len(self.invoice_ids)]


@dataclass(frozen=True)
class ReminderResult:
    """What became of one text, or why there was none. `number` is masked."""

    invoice_id: str
    tenant_ids: tuple[str, ...]
    kind: Kind
    why: str = ""
    step: int | None = None
    number: str = ""
    amount_cents: int | None = None
    message_id: str = ""
    code: str = ""


@dataclass(frozen=True)
class BatchReport:
    """What became of every invoice of one batch."""

    results: tuple[ReminderResult, ...]


@dataclass(frozen=True)
class SettledTexts:
    """What a lookup made of texts without an answer from earlier runs."""

    found_sent: int = 0
    found_refused: int = 0
    still_unknown: int = 0


Chased = OverdueInvoice
"""Its name in release 0.1.0: see `pickled`."""
