"""Puts one lease's timeline together: facts, eligibility, what Paystack says, what comes next.

For an op and for the command line alike. Everything is read in one read-only snapshot.
"""

from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy import Connection, Engine

from leaseup_dagster.database import ids
from leaseup_dagster.explanation import at_paystack, facts, next_steps
from leaseup_dagster.explanation.words import Timeline
from leaseup_dagster.invoicing.planning import one_lease
from leaseup_dagster.reminders.rules.policy import ReminderPolicy
from leaseup_dagster.settings import ReminderSettings, TaskSettings


class UnknownLease(Exception):
    """Neither LeaseUp nor the ledger has it. The message says what the id is, and what to do."""


@dataclass(frozen=True)
class Rules:
    """The settings that a eligibility and the next reminder depend on."""

    tasks: TaskSettings
    reminders: ReminderSettings


def load(
    engine: Engine, rules: Rules, lease_id: str, as_of: date, *, ask_paystack: bool = False
) -> Timeline:
    """The timeline of a lease on a day. Raises UnknownLease."""
    read_only = engine.execution_options(isolation_level="REPEATABLE READ")
    with read_only.connect().execution_options(postgresql_readonly=True) as connection:
        timeline = _read(connection, rules, lease_id.strip(), as_of)
    if not ask_paystack:
        return timeline
    codes = [invoice.request_code for invoice in timeline.facts.invoices if invoice.request_code]
    return replace(timeline, at_paystack=tuple(at_paystack.ask(engine, codes)))


def _read(connection: Connection, rules: Rules, lease_id: str, as_of: date) -> Timeline:
    found = facts.gather(connection, lease_id)
    if found.lease is None and not found.months:
        raise UnknownLease(ids.not_a("a lease", connection, lease_id))
    months = one_lease.open_months(connection, lease_id, as_of)
    eligibilities = one_lease.eligibility_of(connection, months, as_of, rules.tasks)
    steps = next_steps.steps(
        found,
        eligibilities,
        as_of,
        rules.tasks.check_days_ahead,
        ReminderPolicy.of(rules.reminders),
    )
    return Timeline(lease_id, as_of, found, tuple(eligibilities), tuple(steps))
