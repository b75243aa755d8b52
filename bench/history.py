"""The cost of the ledgers' history.

Measured in alternate rounds with and without its triggers: 1,000 invoices through the real job at
100 ms of latency, 1,000 updates of one row each, and a plan of 1,000,000 leases. Also measured: the
bytes per invoice.
"""

from collections.abc import Callable, Iterator
from functools import partial
from statistics import median

from sqlalchemy import Engine, text

from bench import planning, portfolio, ways
from bench.figures import Figure, show, timed
from leaseup_dagster.sandbox.world import a_world

INVOICES, LEASES, ROUNDS = ways.INVOICES, 1_000_000, 5
LEDGER, HISTORY = "leaseup_dagster.invoice_ledger", "leaseup_dagster.invoice_history"

_BYTES = f"""
SELECT pg_total_relation_size('{HISTORY}') / (SELECT count(*) FROM {LEDGER}),
       (SELECT count(*) FROM {HISTORY})::float / (SELECT count(*) FROM {LEDGER})
"""
# One row per statement, as in the protocol. The loop costs the same with and without triggers.
_SINGLE = f"""
DO $$ DECLARE one record; BEGIN
    FOR one IN SELECT lease_id, due_date FROM {LEDGER} LIMIT {INVOICES} LOOP
        UPDATE {LEDGER} SET attempts = attempts + 1
        WHERE lease_id = one.lease_id AND due_date = one.due_date;
    END LOOP;
END $$
"""


def figures() -> Iterator[Figure]:
    """Run this benchmark; each figure as soon as it is measured."""
    with a_world() as world:
        world.paystack.habits.latency_seconds = 0.1
        portfolio.let(world, INVOICES)
        part = _part(world.engine, ROUNDS, partial(ways.bill, world))
        what = f"the history's part of {INVOICES:,} invoices"
        yield Figure(what, f"{part:+.1%}", "at most +5 %", part <= 0.05)
        with world.engine.connect() as connection:
            size, rows = connection.execute(text(_BYTES)).one()
        yield Figure("what it keeps", f"{size} bytes and {rows:.1f} rows an invoice")
        part = _part(world.engine, ROUNDS, partial(_single, world.engine))
        yield Figure("its part of changing single rows of the ledger", f"{part:+.1%}")
    with portfolio.a_database(LEASES) as engine:
        part = _part(engine, 2, partial(planning.plan, engine))
        yield Figure(f"its part of planning {LEASES:,} leases", f"{part:+.1%}")


def _part(engine: Engine, rounds: int, measure: Callable[[], float]) -> float:
    """What the triggers add, as a fraction. Rounds alternate, so that load affects both alike."""
    ratios = []
    for _ in range(rounds):
        seconds = {}
        for switch in ("DISABLE", "ENABLE"):
            _clear(engine)
            with engine.begin() as connection:
                connection.exec_driver_sql(f"ALTER TABLE {LEDGER} {switch} TRIGGER USER")
            seconds[switch] = measure()
        ratios.append(seconds["ENABLE"] / seconds["DISABLE"])
    return median(ratios) - 1


def _clear(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {HISTORY} DISABLE TRIGGER USER")
        connection.exec_driver_sql(f"TRUNCATE {LEDGER}, {HISTORY}, invoice CASCADE")
        connection.exec_driver_sql(f"ALTER TABLE {HISTORY} ENABLE TRIGGER USER")


def _single(engine: Engine) -> float:
    planning.plan(engine)

    def update() -> None:
        with engine.begin() as connection:
            connection.exec_driver_sql(_SINGLE)

    return timed(update)


if __name__ == "__main__":
    show(figures())
