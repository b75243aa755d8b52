"""Moves what was just made in a world to an earlier moment, as if it had been made then.

In Dagster's database, in LeaseUp's tables and ours, and in the books of the stand-ins. Whatever was
there before was moved in its slot, and is older than the moment at which the next thing begins: by
that LeaseUp's rows are distinguished. Dagster's are by their ids.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import Connection, Engine, text

from leaseup_dagster.sandbox.paystack_books import (
    StoredCustomer,
    StoredPaymentRequest,
    milliseconds,
)
from leaseup_dagster.sandbox.twilio import StoredMessage
from leaseup_dagster.sandbox.world import World

_OF_A_RUN = {
    "runs": ("create_timestamp", "update_timestamp"),
    "event_logs": ("timestamp",),
    "asset_event_tags": ("event_timestamp",),
    "asset_check_executions": ("evaluation_event_timestamp", "create_timestamp"),
}
"""Dagster's tables with rows of a run or an event, and their columns of instants."""

_MOMENTS = text(
    "UPDATE runs SET start_time = start_time - :seconds, end_time = end_time - :seconds"
    " WHERE id > :last"
)
_LATEST = text(
    """
    UPDATE asset_keys SET last_materialization_timestamp = last_materialization_timestamp - :by
    WHERE asset_key IN (SELECT asset_key FROM event_logs
                        WHERE id > :last AND dagster_event_type = 'ASSET_MATERIALIZATION')
    RETURNING id, last_materialization
    """
)
_INSTANT_IN_JSON = re.compile(r'("timestamp": )(\d+(?:\.\d+)?)')

_OUR_COLUMNS = text(
    """
    SELECT format('%I.%I', table_schema, table_name), array_agg(quote_ident(column_name)::text)
    FROM information_schema.columns JOIN information_schema.tables
        USING (table_catalog, table_schema, table_name)
    WHERE table_schema IN ('public', 'leaseup_dagster') AND table_type = 'BASE TABLE'
      AND data_type LIKE 'timestamp%' GROUP BY 1
    """
)


@dataclass(frozen=True)
class Back:
    """Moves what is made to the past; nothing else may be at work in the world meanwhile."""

    world: World
    dagster: Engine

    @contextmanager
    def to(self, then: datetime, began: datetime | None = None) -> Iterator[None]:
        """What is made inside began `then`; what is younger than `began` goes back as far."""
        now = datetime.now(tz=timezone.utc)
        with self.dagster.connect() as connection:
            last = {
                table: connection.execute(
                    text(f"SELECT coalesce(max(id), 0) FROM {table}")
                ).scalar_one()
                for table in _OF_A_RUN
            }
        yield
        # Columns that keep milliseconds only may say that a row is from just before.
        young, by = began or now - timedelta(seconds=1), now - then
        with self.dagster.begin() as connection:
            _move_dagsters(connection, last, by)
        with self.world.engine.begin() as connection:
            _move_ours(connection, young, by)
        _move_stand_ins(self.world, young, by)


def _move_dagsters(connection: Connection, last: Mapping[str, int], by: timedelta) -> None:
    """The rows after the `last` of each table. An event is JSON that says its instant, too."""
    for table, columns in _OF_A_RUN.items():
        changes = ", ".join(f"{column} = {column} - :by" for column in columns)
        moved = text(f"UPDATE {table} SET {changes} WHERE id > :last")
        connection.execute(moved, {"by": by, "last": last[table]})
    seconds = {"seconds": by.total_seconds(), "last": last["runs"]}
    connection.execute(_MOMENTS, seconds)
    latest = connection.execute(_LATEST, {"by": by, "last": last["event_logs"]}).all()
    _move_in_json(connection, "asset_keys", "last_materialization", latest, by)
    for table, column in (("event_logs", "event"), ("asset_check_executions", "evaluation_event")):
        events = connection.execute(
            text(f"SELECT id, {column} FROM {table} WHERE id > :last"), {"last": last[table]}
        ).all()
        _move_in_json(connection, table, column, events, by)


def _move_in_json(
    connection: Connection, table: str, column: str, rows: Sequence[Any], by: timedelta
) -> None:
    def earlier(found: re.Match[str]) -> str:
        return found[1] + json.dumps(float(found[2]) - by.total_seconds())

    moved = [{"id": id, "event": _INSTANT_IN_JSON.sub(earlier, event or "")} for id, event in rows]
    if moved:
        connection.execute(text(f"UPDATE {table} SET {column} = :event WHERE id = :id"), moved)


def _move_ours(connection: Connection, young: datetime, by: timedelta) -> None:
    """LeaseUp's rows and our ledgers. Their histories are append-only by a trigger."""
    connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
    connection.exec_driver_sql("SET LOCAL timezone = 'UTC'")  # in which LeaseUp's columns are
    for table, columns in connection.execute(_OUR_COLUMNS).all():
        for column in columns:
            connection.execute(
                text(
                    f"UPDATE {table} SET {column} = {column} - CAST(:by AS interval)"
                    f" WHERE {column} >= CAST(:young AS timestamptz)"
                ),
                {"by": by, "young": young},
            )


def _move_stand_ins(world: World, young: datetime, by: timedelta) -> None:
    """Paystack's books, which the nights list by day, and the texts."""
    dated: list[StoredCustomer | StoredPaymentRequest | StoredMessage] = [
        *world.paystack.customers, *world.paystack.payment_requests, *world.twilio.messages,
    ]  # fmt: skip
    for made in dated:
        if made.created_at >= young:
            made.created_at -= by
    for request in world.paystack.payment_requests:
        if request.paid_at and request.paid_at >= young:
            request.paid_at -= by
        said = [(paid, "paid_at") for paid in request.transactions]
        for entry, key in (*said, *((sent, "sent_at") for sent in request.notifications)):
            at = datetime.fromisoformat(entry[key].replace("Z", "+00:00"))
            if at >= young:
                entry[key] = milliseconds(at - by)
