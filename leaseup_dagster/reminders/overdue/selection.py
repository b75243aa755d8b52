"""SQL and rules: about which overdue invoices somebody is due a text on a day, and who waits."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import accumulate, groupby

from sqlalchemy import Connection

from leaseup_dagster.reminders.keys import LateInvoices, OverdueInvoice
from leaseup_dagster.reminders.overdue import queries
from leaseup_dagster.reminders.rules.policy import ReminderPolicy, due_step, is_finished

OLDEST = 500
"""So many late invoices and tenants are listed for people; reminders go out for all of them."""

MAX_PER_RUN = 20_000
"""More invoices than Paystack's quota lets one run ask about; the next run finds the rest."""


def find(connection: Connection, policy: ReminderPolicy, as_of: date) -> LateInvoices:
    """Every late invoice, and those about which somebody is due a text on `as_of`.

    Invoices of one tenant stand together: they are parts of one text.
    """
    due: dict[str, list[str]] = {}  # by invoice, who is due a text about it
    late = waiting = finished = cents = 0
    oldest: list[OverdueInvoice] = []
    rows = queries.overdue_invoices(connection, as_of, policy.after_days)
    for invoice_id, group in groupby(rows, key=lambda row: row.invoice_id):
        tenants = list(group)
        late += 1
        cents += tenants[0].due_cents or 0
        oldest += tenants[: OLDEST - len(oldest)]
        kind = _kind(tenants, policy, as_of)
        waiting += kind == "waiting"
        finished += kind == "finished"
        if kind == "due":
            due[invoice_id] = [row.tenant_id for row in tenants]
    people = _by_person(due)
    # One person's are never cut in two, and the first are never left for ever.
    selected = max(1, bisect_right(list(accumulate(map(len, people))), MAX_PER_RUN))
    return LateInvoices(
        as_of,
        late,
        waiting,
        finished,
        tuple(people[:selected]),
        left=sum(map(len, people[selected:])),
        tenants=len({tenant for tenants in due.values() for tenant in tenants}),
        cents=cents,
        oldest=tuple(oldest),
    )


def _by_person(due: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    """The invoices in their order, those of one tenant together; where two tenants share one,
    all of both."""
    with_whom: dict[str, str] = {}

    def first_of(tenant_id: str) -> str:
        while (other := with_whom.setdefault(tenant_id, tenant_id)) != tenant_id:
            tenant_id = other
        return tenant_id

    for first, *others in due.values():
        for other in others:
            with_whom[first_of(other)] = first_of(first)
    people: dict[str, list[str]] = {}
    for invoice_id, tenants in due.items():
        people.setdefault(first_of(tenants[0]), []).append(invoice_id)
    return [tuple(invoices) for invoices in people.values()]


def _kind(rows: Sequence[OverdueInvoice], policy: ReminderPolicy, as_of: date) -> str:
    if any(due_step(policy, row.due_date, row.last, as_of) is not None for row in rows):
        return "due"
    return "finished" if all(is_finished(policy, row.last) for row in rows) else "waiting"
