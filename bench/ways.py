"""The same invoices at 100 ms of latency, created in four ways; invoices per second.

- The bare loop is the floor.
- One op per invoice, on Dagster's default executor, is the obvious design.
- One query per lease and batches of ten with a pause of a second is how it was done before.
- Ours is the real job, timed by the ledger from the first claim to the last record, including
  Dagster's steps and storage. Only ours claims each invoice before its request.

The slow ways create fewer invoices.
"""

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import httpx
from sqlalchemy import text

from bench import bare, planning, portfolio
from bench.figures import Figure, at_least, at_most, show
from leaseup_dagster.sandbox.world import World, a_world

INVOICES, FEW, ROUNDS = 1_000, 60, 3
PAUSE_SECONDS = 1.0
BATCH = 10

_TIMED = """
SELECT extract(epoch FROM max(updated_at) - min(attempted_at))
FROM leaseup_dagster.invoice_ledger WHERE state = 'invoiced'
"""
_CLEAR = "TRUNCATE leaseup_dagster.invoice_ledger, invoice CASCADE"
_ONE_LEASE = text(
    """
    SELECT lease.rent, lease."startDate", tenant."paystackCustomerId" FROM lease
    JOIN tenant_lease ON tenant_lease."leaseId" = lease.id
    JOIN tenant ON tenant.id = tenant_lease."tenantId"
    WHERE lease.id = :lease
      AND NOT EXISTS (SELECT FROM invoice WHERE "leaseId" = lease.id)
    """
)


def figures() -> Iterator[Figure]:
    """Run this benchmark; each figure as soon as it is measured."""
    with a_world() as world:
        world.paystack.habits.latency_seconds = 0.1
        portfolio.let(world, INVOICES)
        before = _as_before(world)  # first, as it searches for leases without an invoice
        each = _one_op_each(world)
        rounds = [(_ours(world), INVOICES / bare.seconds(world, INVOICES)) for _ in range(ROUNDS)]
    floor = median(rate for _, rate in rounds)
    yield _way("a bare loop, the floor", floor, floor)
    yield _way("ours", median(rate for (rate, _), _ in rounds), floor)
    yield _way("one query per lease, batches of ten and a second's pause", before, floor)
    yield _way("one op per invoice on the multiprocess executor", each, floor)
    ratio = median(ours / rate for (ours, _), rate in rounds)
    yield at_least(f"ours beside the bare loop, median of {ROUNDS} rounds", ratio, 0.95)
    requests = median(requests for (_, requests), _ in rounds)
    yield at_most("requests to Paystack per invoice, those of the run included", requests, 1.01)


def _way(name: str, rate: float, floor: float) -> Figure:
    return Figure(name, f"{rate:.1f} invoices/s, {rate / floor:.2f} of the floor")


def bill(world: World) -> float:
    """Run the job with an empty ledger. Seconds from the first claim to the last record."""
    portfolio.clear_requests(world.paystack)
    day = planning.AS_OF.isoformat()
    if not world.execute("check_upcoming_invoices", {"plan_invoices": {"as_of": day}}):
        raise SystemExit(world.log_tail())
    with world.engine.connect() as connection:
        return float(connection.execute(text(_TIMED)).scalar_one())


def _ours(world: World) -> tuple[float, float]:
    """Invoices per second, and requests to Paystack per invoice."""
    with world.engine.begin() as connection:
        connection.execute(text(_CLEAR))
    seen = len(world.paystack.requests)
    seconds = bill(world)
    return INVOICES / seconds, (len(world.paystack.requests) - seen) / INVOICES


def _one_op_each(world: World) -> float:
    """Invoices per second of the whole run, without what a run of one invoice takes."""
    address = f"{world.paystack.url}|{world.paystack.customers[0].customer_code}"
    seconds = {}
    for count in (1, FEW + 1):
        began = time.perf_counter()
        child = world.children.start(
            [sys.executable, "-m", "bench.one_op_each", address, str(count)], world.log
        )
        if world.children.wait(child) != 0:
            raise SystemExit(world.log_tail())
        seconds[count] = time.perf_counter() - began
    return FEW / (seconds[FEW + 1] - seconds[1])


def _as_before(world: World) -> float:
    """Invoices per second of one query per lease and paused batches."""
    leases = [f"lease-{number}" for number in range(1, FEW + 1)]
    headers = {"Authorization": "Bearer sk_test_sandbox"}
    began = time.perf_counter()
    with (
        world.engine.connect() as connection,
        httpx.Client(base_url=world.paystack.url, headers=headers, timeout=30) as client,
        ThreadPoolExecutor(BATCH) as pool,
    ):
        found = [connection.execute(_ONE_LEASE, {"lease": lease}).one() for lease in leases]

        def create(lease: tuple[float, object, str]) -> None:
            body = {"customer": lease[2], "amount": int(lease[0] * 100), "currency": "ZAR"}
            client.post("/paymentrequest", json=body).raise_for_status()

        for first in range(0, FEW, BATCH):
            list(pool.map(create, found[first : first + BATCH]))
            time.sleep(PAUSE_SECONDS)
    return FEW / (time.perf_counter() - began)


if __name__ == "__main__":
    show(figures())
