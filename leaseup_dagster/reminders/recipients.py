"""Who is texted about a late invoice, and who is not and why. Pure.

Tenants who share a number share a text. A number that the provider refused is left alone until
it changes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import groupby

from leaseup_dagster.reminders.cadence import Cadence, LastText, due_step
from leaseup_dagster.reminders.keys import Kind, ReminderResult
from leaseup_dagster.reminders.message import Facts
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
    landlord: str = field(repr=False)
    unit: str = field(repr=False)
    property: str = field(repr=False)
    tenant_id: str
    first_name: str = field(repr=False)
    phone: str = field(repr=False)
    last: LastText | None
    refused_hashes: frozenset[str] = field(repr=False)


@dataclass(frozen=True)
class Text:
    """One text to one number, for one step of the schedule."""

    invoice_id: str
    tenant_ids: tuple[str, ...]
    step: int
    as_of: date
    number: str = field(repr=False)
    facts: Facts = field(repr=False)

    def asking_for(self, cents: int) -> "Text":
        """The same text, about another amount."""
        return replace(self, facts=replace(self.facts, amount_cents=cents))

    def result(self, kind: Kind, why: str = "", **more: str) -> ReminderResult:
        """What became of it. `more`: the provider's message id or code."""
        return ReminderResult(
            invoice_id=self.invoice_id,
            tenant_ids=self.tenant_ids,
            kind=kind,
            why=why,
            step=self.step,
            number=mask(self.number),
            amount_cents=self.facts.amount_cents,
            **more,
        )


@dataclass(frozen=True)
class Chase:
    """One late invoice: the texts to send, once Paystack says that it is unpaid."""

    invoice_id: str
    request_code: str
    texts: tuple[Text, ...]


def plan(
    reminders: Iterable[Reminder], cadence: Cadence, as_of: date
) -> tuple[list[Chase], list[ReminderResult]]:
    """What to send for each invoice, and a result for everyone who gets nothing today.

    Who is not due today is neither.
    """
    chases, skipped = [], []
    for invoice_id, group in groupby(reminders, key=lambda reminder: reminder.invoice_id):
        texts: dict[tuple[str, int], Text] = {}
        rows = list(group)
        for row in rows:
            step = due_step(cadence, row.due_date, row.last, as_of)
            if step is None:
                continue
            found = _text(row, step, as_of)
            if isinstance(found, ReminderResult):
                skipped.append(found)
            else:
                texts[found.number, step] = _shared(texts.get((found.number, step)), found)
        if texts:
            chases.append(Chase(invoice_id, rows[0].request_code, tuple(texts.values())))
    return chases, skipped


def _text(row: Reminder, step: int, as_of: date) -> Text | ReminderResult:
    number = to_e164(row.phone)
    if row.due_cents is None:
        return _skipped(row, step, Kind.NO_AMOUNT)
    if isinstance(number, PhoneProblem):
        return _skipped(row, step, Kind.NO_MOBILE, number.value)
    if number_hash(number) in row.refused_hashes:
        return _skipped(row, step, Kind.NUMBER_REFUSED_BEFORE, number=mask(number))
    facts = Facts(
        first_name=row.first_name,
        landlord=row.landlord,
        unit=row.unit,
        property=row.property,
        category=row.category,
        amount_cents=row.due_cents,
        due_date=row.due_date,
        days_overdue=(as_of - row.due_date).days,
        link=row.link,
    )
    return Text(row.invoice_id, (row.tenant_id,), step, as_of, number, facts)


def _shared(first: Text | None, other: Text) -> Text:
    """The same text, read by one tenant more; it greets the first."""
    if first is None:
        return other
    return replace(first, tenant_ids=first.tenant_ids + other.tenant_ids)


def _skipped(
    row: Reminder, step: int, kind: Kind, why: str = "", number: str = ""
) -> ReminderResult:
    return ReminderResult(row.invoice_id, (row.tenant_id,), kind, why, step, number, row.due_cents)
