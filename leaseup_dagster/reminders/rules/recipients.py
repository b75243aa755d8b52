"""Who is texted about what is late, and who is not and why. Pure.

One text a person and day, whatever is late: the invoices of one landlord that are due a reminder
and whose tenants read one number are parts of one text.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from leaseup_dagster.reminders.keys import Kind, LastText, ReminderResult
from leaseup_dagster.reminders.rules.message import Facts
from leaseup_dagster.reminders.rules.policy import ReminderPolicy, due_step
from leaseup_dagster.reminders.rules.refusals import Refusal, is_left_alone
from leaseup_dagster.sms.phone_numbers import PhoneProblem, mask, number_hash, to_e164


@dataclass(frozen=True)
class Reminder:
    """A late invoice and one of its tenants, with what a text needs. `None` cents: unreadable."""

    invoice_id: str
    due_date: date
    due_cents: int | None
    category: str
    request_code: str
    link: str = field(repr=False)
    landlord_id: str
    landlord: str = field(repr=False)
    unit: str = field(repr=False)
    property: str = field(repr=False)
    tenant_id: str
    first_name: str = field(repr=False)
    phone: str = field(repr=False)
    last: LastText | None
    refusals: tuple[Refusal, ...] = field(repr=False)


@dataclass(frozen=True)
class Part:
    """One invoice that a text is about, for one step of the schedule, and who reads of it."""

    invoice_id: str
    request_code: str
    tenant_ids: tuple[str, ...]
    step: int
    facts: Facts = field(repr=False)

    def asking_for(self, cents: int, payable_cents: int | None) -> "Part":
        """The same, about another amount. A page that asks for another one is not linked to: the
        text says whom to ask instead."""
        agrees = payable_cents in (None, cents)
        link = self.facts.link if agrees else ""
        return replace(self, facts=replace(self.facts, amount_cents=cents, link=link))


@dataclass(frozen=True)
class Text:
    """One text to one number. Its parts have the oldest first."""

    as_of: date
    number: str = field(repr=False)
    parts: tuple[Part, ...]

    @property
    def facts(self) -> Facts:
        """What it says: the oldest invoice, the sum of all, and how many more there are."""
        cents = sum(part.facts.amount_cents for part in self.parts)
        return replace(self.parts[0].facts, amount_cents=cents, more=len(self.parts) - 1)

    def about(self, parts: Iterable[Part]) -> "Text":
        """The same text, about these parts of it."""
        return replace(self, parts=tuple(parts))

    def results(self, kind: Kind, why: str = "", **more: str) -> list[ReminderResult]:
        """What became of it, for each invoice. `more`: the provider's message id or code."""
        return [
            self.result(part, kind if number == 0 else _BESIDE.get(kind, kind), why, **more)
            for number, part in enumerate(self.parts)
        ]

    def result(self, part: Part, kind: Kind, why: str = "", **more: str) -> ReminderResult:
        """What became of one of its parts."""
        return ReminderResult(
            invoice_id=part.invoice_id,
            tenant_ids=part.tenant_ids,
            kind=kind,
            why=why,
            step=part.step,
            number=mask(self.number),
            amount_cents=part.facts.amount_cents,
            **more,
        )


_BESIDE = {Kind.TEXTED: Kind.IN_THE_SAME_TEXT, Kind.PLANNED: Kind.IN_THE_SAME_TEXT}


def plan(
    reminders: Iterable[Reminder], policy: ReminderPolicy, as_of: date
) -> tuple[list[Text], list[ReminderResult]]:
    """What to send, and a result for everyone who gets nothing today.

    Who is not due today is neither.
    """
    parts: dict[tuple[str, str], dict[tuple[str, int], Part]] = {}
    skipped = []
    for row in sorted(reminders, key=lambda row: (row.due_date, row.invoice_id)):
        step = due_step(policy, row.due_date, row.last, as_of)
        if step is None:
            continue
        number = _number_of(row, step, as_of)
        if isinstance(number, ReminderResult):
            skipped.append(number)
            continue
        of_text = parts.setdefault((number, row.landlord_id), {})
        known = of_text.get((row.invoice_id, step))
        of_text[row.invoice_id, step] = _read_by(known, _part(row, step, as_of))
    texts = [Text(as_of, number, tuple(of.values())) for (number, _), of in parts.items()]
    return texts, skipped


def asked_about(texts: Sequence[Text]) -> list[Part]:
    """Each invoice of the texts once: whether it is unpaid is to be asked."""
    return list({part.invoice_id: part for text in texts for part in text.parts}.values())


def _number_of(row: Reminder, step: int, as_of: date) -> str | ReminderResult:
    number = to_e164(row.phone)
    if row.due_cents is None:
        return _skipped(row, step, Kind.NO_AMOUNT)
    if isinstance(number, PhoneProblem):
        return _skipped(row, step, Kind.NO_MOBILE, number.value)
    if is_left_alone(row.refusals, number_hash(number), row.due_date, as_of):
        return _skipped(row, step, Kind.NUMBER_REFUSED_BEFORE, number=mask(number))
    return number


def _part(row: Reminder, step: int, as_of: date) -> Part:
    facts = Facts(
        first_name=row.first_name,
        landlord=row.landlord,
        unit=row.unit,
        property=row.property,
        category=row.category,
        amount_cents=row.due_cents or 0,
        due_date=row.due_date,
        days_overdue=(as_of - row.due_date).days,
        link=row.link,
    )
    return Part(row.invoice_id, row.request_code, (row.tenant_id,), step, facts)


def _read_by(first: Part | None, other: Part) -> Part:
    """The same part, read by one tenant more; it greets the first."""
    if first is None:
        return other
    return replace(first, tenant_ids=first.tenant_ids + other.tenant_ids)


def _skipped(
    row: Reminder, step: int, kind: Kind, why: str = "", number: str = ""
) -> ReminderResult:
    return ReminderResult(row.invoice_id, (row.tenant_id,), kind, why, step, number, row.due_cents)
