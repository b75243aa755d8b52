"""What a run that took invoices back says it did: counts, and rows for people. Pure."""

from collections import Counter
from dataclasses import dataclass

from leaseup_dagster.invoicing.cancellation.protocol import Kind, Outcome
from leaseup_dagster.money import format_rands

COLUMNS = ("invoice", "lease", "due date", "amount", "payment request", "what", "why")

_NEXT = {
    Kind.UNANSWERED: "Launch cancel_invoice again: it asks Paystack before anything else.",
    Kind.NOT_SENT: "Launch cancel_invoice again.",
    Kind.BROKEN: "Launch cancel_invoice again.",
    Kind.STOPPED: "The run was asked to stop or is out of time. Launch cancel_invoice again.",
    Kind.PAID: "It stays: pay the tenant back, or leave it.",
}


@dataclass(frozen=True)
class CancellationReport:
    """`refused`: what was typed, and why it cannot be cancelled."""

    outcomes: tuple[Outcome, ...]
    refused: tuple[tuple[str, str], ...]

    @property
    def failed(self) -> bool:
        """Whether anything that was asked for was not cancelled."""
        return bool(self.refused) or not all(o.kind.done for o in self.outcomes)

    @property
    def headline(self) -> str:
        """How many of each outcome, in one line."""
        said = ", ".join(f"{count} {kind}" for kind, count in self.counts().items())
        return f"Cancelling invoices: {said or 'nothing to do'}"

    def counts(self) -> dict[str, int]:
        """How many of each outcome, by its name."""
        found = Counter(outcome.kind.value for outcome in self.outcomes)
        found[Kind.REFUSED.value] += len(self.refused)
        return {kind.value: found[kind.value] for kind in Kind if found[kind.value]}

    def rows(self) -> list[tuple[str, str, str, str, str, str, str]]:
        """What is not cancelled first."""
        typed = [(named, "", "", "", "", Kind.REFUSED.value, why) for named, why in self.refused]
        rest = sorted(self.outcomes, key=lambda o: (o.kind.done, o.invoice.key))
        return typed + [
            (
                o.invoice.invoice_id,
                o.invoice.key.lease_id,
                o.invoice.key.due_date.isoformat(),
                format_rands(o.invoice.amount_cents),
                o.invoice.request_code,
                o.kind.value,
                o.invoice.reason if o.kind.done else " ".join(filter(None, (o.why, _next(o)))),
            )
            for o in rest
        ]

    def lines(self) -> list[str]:
        """A line for each invoice that was cancelled, for the log."""
        return [
            f"Cancelled invoice invoice_id={o.invoice.invoice_id} lease_id={o.invoice.key.lease_id}"
            f" due_date={o.invoice.key.due_date} request_code={o.invoice.request_code}"
            for o in self.outcomes
            if o.kind is Kind.CANCELLED
        ]

    def in_words(self) -> str:
        """Every invoice that was not cancelled, with the reason, one per line."""
        lines = [f"{named}: {why}" for named, why in self.refused]
        lines += [
            f"invoice_id={o.invoice.invoice_id} lease_id={o.invoice.key.lease_id}"
            f" due_date={o.invoice.key.due_date} ({o.kind.value}): "
            + ". ".join(filter(None, (o.why, _next(o))))
            for o in self.outcomes
            if not o.kind.done
        ]
        return f"{len(lines)} invoices were not cancelled:\n" + "\n".join(lines)


def _next(outcome: Outcome) -> str:
    return _NEXT.get(outcome.kind, "")
