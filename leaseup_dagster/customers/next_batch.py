"""Who is sent to Paystack next, and when to wait. Pure: no clock, no database; `now` is given.

A backfill is drained in batches: one run with so many tenants, then the next, which is in the queue
while the one before is at work. Tenants of a batch that failed rest for a while, so that they are
neither lost nor retried in a hot loop, and nobody else waits for them; when very many rest at
once, it is not they who are to blame.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from leaseup_dagster.as_of import clock

BATCH = 1500
"""Tenants in one run: in live mode two and a half minutes of Paystack's quota, of the four in which
a run takes on work. The rest is for a slow Paystack: whom a run leaves rests if it failed for one.
"""

REST = timedelta(minutes=15)
"""How long tenants are left alone after a run that failed."""

OUTAGE = 25
"""When so many rest, nobody is sent: Paystack, the key or the network must come back first."""

POLL_INTERVAL = timedelta(minutes=10)
"""When the table is read again although nothing seems to have been written to it."""

CHEAP_BYTES = 16 * 2**20
"""A table of this size, some 100,000 tenants, is read in about 20 ms: always worth a check."""


@dataclass(frozen=True)
class TenantTable:
    """LeaseUp's tenants from outside. `changes` is None where the server does not count them."""

    bytes: int
    changes: int | None


@dataclass(frozen=True)
class Waiting:
    """Tenants without a customer: those to be registered, of them those that rest, those refused,
    and the ids of the first who can be sent now."""

    total: int
    refused: int
    resting: int
    tenant_ids: tuple[str, ...]


@dataclass(frozen=True)
class FailedBatch:
    """The tenants of a run that failed, or that a person ended."""

    ended_at: datetime
    tenant_ids: tuple[str, ...]


@dataclass(frozen=True)
class Pause:
    """Nobody to send now, in words; `cursor` says for how long that need not be examined."""

    why: str
    cursor: str | None


def pause(
    waiting: Waiting, failed: Iterable[FailedBatch], table: TenantTable, now: datetime
) -> Pause | None:
    """Why nobody is sent now, given the batches that failed within `REST`; None: send them."""
    ends = min((batch.ended_at + REST for batch in failed), default=now)
    if waiting.resting >= OUTAGE:
        return _pause(
            f"Tenants that could not be registered: {waiting.resting}; the failed runs say why."
            f" All wait until {clock(ends)}.",
            table, now, ends,
        )  # fmt: skip
    if waiting.tenant_ids:
        return None
    if waiting.resting:
        return _pause(
            f"Tenants that could not be registered: {waiting.resting}; the failed run says why."
            f" Tried again from {clock(ends)}.",
            table, now, ends,
        )  # fmt: skip
    return _pause(_all_well(waiting.refused), table, now, now + POLL_INTERVAL)


def goes_well(tenants: int, left: int) -> bool:
    """Whether a batch at work is one after which the next may come at once: more than half of it
    has ended. One that meets an outage has not, and nobody is to meet it after them."""
    return left < tenants / 2


def run_key(tenant_ids: Collection[str], fingerprint: str, now: datetime) -> str:
    """One for the same tenants with the same data, and another one after `REST`.

    Dagster never starts a second run with a key, even if the first one failed.
    """
    period = now.timestamp() // REST.total_seconds() * REST.total_seconds()
    start = datetime.fromtimestamp(period, tz=timezone.utc)
    return f"{start:%Y-%m-%dT%H:%MZ}-{len(tenant_ids)}-{fingerprint[:16]}"


def nothing_new(cursor: str | None, table: TenantTable, now: datetime) -> str | None:
    """The last pause's reason, if the table was not written to since and its time is not up.

    None when it has to be examined, which also is so for a cursor that nobody can read.
    """
    if table.bytes <= CHEAP_BYTES or table.changes is None:
        return None
    try:
        last = json.loads(cursor or "{}")
        known = last["changes"] == table.changes and now < datetime.fromisoformat(last["until"])
        return str(last["why"]) if known else None
    except (ValueError, KeyError, TypeError):
        return None


def _pause(why: str, table: TenantTable, now: datetime, until: datetime) -> Pause:
    until = min(until, now + POLL_INTERVAL)
    seen = {"changes": table.changes, "until": until.isoformat(), "why": why}
    return Pause(why, json.dumps(seen))


def _all_well(refused: int) -> str:
    if not refused:
        return "Every tenant has a Paystack customer."
    return (
        f"Every tenant has a Paystack customer, except those who were refused: {refused}. Each is"
        " tried again when its data change."
    )
