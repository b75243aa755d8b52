"""What the ledgers' history costs: `python -m bench.history`, about four minutes.

With and without its triggers, in turn: 1,000 invoices through the real job at 100 ms of latency,
1,000 changes of one row each, and a plan of 1,000,000 leases. And its bytes per invoice.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from sqlalchemy import Engine, text

from bench import portfolio
from leaseup_dagster.database.connection import open_engine
from leaseup_dagster.invoicing import planning
from leaseup_dagster.sandbox.postgres import embedded_postgres
from leaseup_dagster.sandbox.world import World, a_world
from leaseup_dagster.settings import TaskSettings

INVOICES, LEASES, ROUNDS = 1_000, 1_000_000, 5
AS_OF = date(2026, 11, 24)
LEDGER, HISTORY = "leaseup_dagster.invoice_ledger", "leaseup_dagster.invoice_history"

_TIMED = f"""
SELECT extract(epoch FROM max(updated_at) - min(attempted_at)) FROM {LEDGER}
WHERE state = 'invoiced'
"""
_BYTES = f"""
SELECT pg_total_relation_size('{HISTORY}') / (SELECT count(*) FROM {LEDGER}),
       (SELECT count(*) FROM {HISTORY})::float / (SELECT count(*) FROM {LEDGER})
"""
# One statement each, as the protocol's are; the loop itself is the same with and without.
_SINGLE = f"""
DO $$ DECLARE one record; BEGIN
    FOR one IN SELECT lease_id, due_date FROM {LEDGER} LIMIT {INVOICES} LOOP
        UPDATE {LEDGER} SET attempts = attempts + 1
        WHERE lease_id = one.lease_id AND due_date = one.due_date;
    END LOOP;
END $$
"""


def main(leases: int = LEASES, rounds: int = ROUNDS) -> None:
    with a_world() as world:
        world.paystack.habits.latency_seconds = 0.1
        customer = world.paystack.add_customer("bench@example.com")
        with world.engine.begin() as connection:
            portfolio.lay_out(connection, INVOICES, customer.customer_code)
        _say(f"{INVOICES:,} invoices", *_compared(world.engine, rounds, lambda: _invoices(world)))
        with world.engine.connect() as connection:
            size, rows = connection.execute(text(_BYTES)).one()
        print(f"  history: {size} bytes and {rows:.1f} rows for each invoice, its index included")
        single = _compared(world.engine, rounds, lambda: _single(world.engine))
        _say(f"{INVOICES:,} changes of one row", *single)
    with _planned_world(leases) as engine:
        _say(f"a plan of {leases:,}", *_compared(engine, 2, lambda: _plan(engine)))


def _compared(
    engine: Engine, rounds: int, measure: Callable[[], float]
) -> tuple[list[float], list[float]]:
    """Seconds with and without the triggers, taken in turn so that both meet the same machine."""
    with_it, without = [], []
    for _ in range(rounds):
        for switch, seconds in (("DISABLE", without), ("ENABLE", with_it)):
            _forget(engine)
            with engine.begin() as connection:
                connection.exec_driver_sql(f"ALTER TABLE {LEDGER} {switch} TRIGGER USER")
            seconds.append(measure())
    return with_it, without


def _forget(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {HISTORY} DISABLE TRIGGER USER")
        connection.exec_driver_sql(f"TRUNCATE {LEDGER}, {HISTORY}, invoice CASCADE")
        connection.exec_driver_sql(f"ALTER TABLE {HISTORY} ENABLE TRIGGER USER")


def _invoices(world: World) -> float:
    portfolio.forget_requests(world.paystack)
    day = AS_OF.isoformat()
    if not world.execute("check_upcoming_invoices", {"plan_invoices": {"as_of": day}}):
        raise SystemExit(world.log_tail())
    with world.engine.connect() as connection:
        return float(connection.execute(text(_TIMED)).scalar_one())


def _single(engine: Engine) -> float:
    _plan(engine)
    began = time.perf_counter()
    with engine.begin() as connection:
        connection.exec_driver_sql(_SINGLE)
    return time.perf_counter() - began


def _plan(engine: Engine) -> float:
    began = time.perf_counter()
    with engine.begin() as connection:
        planning.plan(connection, AS_OF, TaskSettings())
    return time.perf_counter() - began


@contextmanager
def _planned_world(leases: int) -> Iterator[Engine]:
    with (
        tempfile.TemporaryDirectory(prefix="leaseup-bench-") as folder,
        embedded_postgres(Path(folder) / "data") as server,
    ):
        server.create_leaseup("leaseup")
        engine = open_engine(server.url("leaseup"), connections=2)
        with engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            portfolio.lay_out(connection, leases, "CUS_bench")
        yield engine
        engine.dispose()


def _say(what: str, with_it: Sequence[float], without: Sequence[float]) -> None:
    ours, bare = statistics.median(with_it), statistics.median(without)
    print(f"{what}: {ours:.2f} s with the history, {bare:.2f} s without, {ours / bare - 1:+.1%}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leases", type=int, default=LEASES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    main(**vars(parser.parse_args()))
