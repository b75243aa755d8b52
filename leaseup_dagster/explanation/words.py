"""A lease's timeline as tables, and as text for a log or a terminal. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from leaseup_dagster.as_of import timestamp
from leaseup_dagster.explanation.at_paystack import Answer
from leaseup_dagster.explanation.facts import Facts
from leaseup_dagster.invoicing.keys import Eligibility
from leaseup_dagster.invoicing.rules.skip_reasons import SkipReason, in_words
from leaseup_dagster.money import cents_from_rands, format_rands

Section = tuple[Sequence[str], Sequence[Sequence[str | int]]]
"""Column names, and rows."""


@dataclass(frozen=True)
class Timeline:
    """All there is to say about one lease on one day."""

    lease_id: str
    as_of: date
    facts: Facts
    eligibilities: tuple[Eligibility, ...]
    next_steps: tuple[str, ...]
    at_paystack: tuple[Answer, ...] = ()

    @property
    def headline(self) -> str:
        """Whether each month is billed, and why not, in one line."""
        said = "; ".join(f"rent due {v.key.due_date}: {_would(v)}" for v in self.eligibilities)
        return f"Lease {self.lease_id} as of {self.as_of}: {said or 'LeaseUp has it no more'}"

    def sections(self) -> dict[str, Section]:
        """What a person reads first comes first; sections may be without rows."""
        facts = self.facts
        return {
            "what happens next": (("what happens next",), [(step,) for step in self.next_steps]),
            "today's plan": (("due date", "amount", "eligibility", "what it means"), self._plan()),
            "the lease": (("", "as LeaseUp has it"), _lease_rows(facts)),
            "invoices": (_INVOICE_COLUMNS, _invoice_rows(facts)),
            "payments": (("invoice", "at", "amount", "method", "reference"), _payment_rows(facts)),
            "money in doubt": (_QUESTION_COLUMNS, _question_rows(facts)),
            "at Paystack": (
                ("payment request", "what Paystack says"),
                [(answer.request_code, answer.in_words()) for answer in self.at_paystack],
            ),
            "invoice ledger": (_LEDGER_COLUMNS, _ledger_rows(facts)),
            "reminders": (_REMINDER_COLUMNS, _reminder_rows(facts)),
            "history": (("at", "what", "from", "to", "run", "reason"), _history_rows(facts)),
        }

    def _plan(self) -> list[tuple[str, str, str, str]]:
        return [
            (
                v.key.due_date.isoformat(),
                _rands(v.amount_cents),
                v.reason or "to bill",
                in_words(v.reason, v.note) if v.reason else "It is due and not billed yet.",
            )
            for v in self.eligibilities
        ]


_INVOICE_COLUMNS = (
    "invoice", "number", "category", "due date", "amount", "paid", "status", "payment request",
)  # fmt: skip
_QUESTION_COLUMNS = (
    "invoice", "what", "at Paystack", "of it in LeaseUp", "paid otherwise", "rows too many",
    "decided", "reason",
)  # fmt: skip
_LEDGER_COLUMNS = (
    "due date", "state", "amount", "reference", "billing", "attempts", "attempted at", "adopted",
    "invoice", "payment request", "why",
)  # fmt: skip
_REMINDER_COLUMNS = (
    "day", "invoice", "tenant", "step", "number", "state", "message", "delivery", "why",
)  # fmt: skip


def as_text(headline: str, sections: Mapping[str, Section]) -> str:
    """Sections with rows, one below the other, in columns as wide as they need."""
    parts = [headline]
    for name, (columns, rows) in sections.items():
        if len(columns) == 1 and rows:
            parts.append("\n".join([_title(name), *(f"  {row[0]}" for row in rows)]))
        elif rows:
            parts.append("\n".join([_title(name), *_columns([columns, *rows])]))
    return "\n\n".join(parts)


def as_json(timeline: Timeline) -> dict[str, Any]:
    """The same for a program: a list for each section, empty where there is nothing to say."""
    sections = {name: _as_objects(*section) for name, section in timeline.sections().items()}
    return {
        "lease": timeline.lease_id,
        "as of": timeline.as_of.isoformat(),
        "headline": timeline.headline,
        **sections,
    }


def _as_objects(columns: Sequence[str], rows: Sequence[Sequence[str | int]]) -> Any:
    if len(columns) == 1:
        return [row[0] for row in rows]
    if not columns[0]:  # each row says what it is of
        return {str(row[0]): row[1] for row in rows}
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _title(name: str) -> str:
    return name[0].upper() + name[1:]


def _columns(rows: Iterable[Sequence[str | int]]) -> list[str]:
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def _would(eligibility: Eligibility) -> str:
    if eligibility.reason is None:
        return f"to be billed, {_rands(eligibility.amount_cents)}"
    if eligibility.reason in (SkipReason.ALREADY_INVOICED, SkipReason.BILLED_ANOTHER_AMOUNT):
        return f"nothing to bill, {SkipReason(eligibility.reason).words}"
    return f"not billed, {SkipReason(eligibility.reason).words}"


def _lease_rows(facts: Facts) -> list[tuple[str, str]]:
    lease = facts.lease
    if lease is None:
        return [("lease", "deleted")]
    customers = [f"{t.id} ({t.customer or 'no Paystack customer yet'})" for t in facts.tenants]
    return [
        ("status", lease.status),
        ("automatic invoices", _yes(lease.automatic)),
        ("from", str(lease.start_date)),
        ("until", str(lease.end_date or "")),
        ("rent", _rent(lease.rent)),
        ("unit, property, landlord", ", ".join(
            part or "none" for part in (lease.unit_id, lease.property_id, lease.landlord_id))),
        ("tenants", ", ".join(customers) or "none"),
    ]  # fmt: skip


def _invoice_rows(facts: Facts) -> list[tuple[str | int, ...]]:
    with_payments = {payment.invoice_id for payment in facts.payments}
    return [
        (
            i.id, i.number, i.category, str(i.due_date or ""), _rands(i.amount_cents),
            _paid(i, i.id in with_payments), i.status, i.request_code,
        )
        for i in facts.invoices
    ]  # fmt: skip


def _paid(invoice: Any, has_payments: bool) -> str:
    if invoice.status == "PAID" and not has_payments:
        return "marked as paid manually, no payment recorded"
    return _rands(invoice.paid_cents)


def _payment_rows(facts: Facts) -> list[tuple[str, ...]]:
    return [
        (p.invoice_id or "", _at(p.at), _rands(p.cents), p.method, p.reference or "")
        for p in facts.payments
    ]


def _question_rows(facts: Facts) -> list[tuple[str, ...]]:
    return [
        (
            q.invoice_id, q.doubt, _rands(q.received_cents), _rands(q.recorded_cents),
            _rands(q.otherwise_cents), ", ".join(q.transaction_ids),
            f"{q.decision}, {_at(q.decided_at)}" if q.decision else "not yet", q.reason or "",
        )
        for q in facts.questions
    ]  # fmt: skip


def _ledger_rows(facts: Facts) -> list[tuple[str | int, ...]]:
    return [
        (
            str(m.due_date), m.state, _rands(m.amount_cents), m.reference, m.billing, m.attempts,
            _at(m.attempted_at), _yes(m.adopted), m.invoice_id or "", m.request_code or "",
            m.error or "",
        )
        for m in facts.months
    ]  # fmt: skip


def _reminder_rows(facts: Facts) -> list[tuple[str | int, ...]]:
    return [
        (
            str(r.as_of), r.invoice_id, r.tenant_id, r.step, r.number, r.state,
            r.message_id or "", r.delivery_status or "", r.error or "",
        )
        for r in facts.reminders
    ]  # fmt: skip


def _history_rows(facts: Facts) -> list[tuple[str, ...]]:
    of_invoices = [(row, f"rent due {row.due_date}") for row in facts.history]
    of_reminders = [
        (row, f"reminder {row.step} of {row.invoice_id} to {row.tenant_id}")
        for row in facts.reminder_history
    ]
    rows = sorted([*of_invoices, *of_reminders], key=lambda pair: (pair[0].at, pair[0].id))
    return [
        (
            _at(row.at), what, row.from_state or "", row.to_state,
            row.run_id or "outside a run", row.reason or "",
        )
        for row, what in rows
    ]  # fmt: skip


def _at(instant: datetime | None) -> str:
    return timestamp(instant) if instant else ""


def _rands(cents: int | None) -> str:
    return "not an amount" if cents is None else format_rands(cents)


def _rent(rands: Any) -> str:
    try:
        return format_rands(cents_from_rands(rands))
    except ValueError:
        return "not an amount"


def _yes(value: Any) -> str:
    return "yes" if value else "no"
