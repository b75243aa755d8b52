"""The same invoices at the same latency, made in four ways; invoices a second.

The bare loop is the floor. One op per invoice, on Dagster's default executor, is what comes to mind
first. One query per lease and batches of ten with a second's pause is how it was done before. Only
ours writes a mark before each request; the slow ways are given fewer invoices.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
from sqlalchemy import text

from bench import invoices, portfolio
from leaseup_dagster.sandbox.world import World, a_world

FEW = 60
PAUSE_SECONDS = 1.0
BATCH = 10

_ONE_LEASE = text(
    """
    SELECT lease.rent, lease."startDate", tenant."paystackCustomerId" FROM lease
    JOIN tenant_lease ON tenant_lease."leaseId" = lease.id
    JOIN tenant ON tenant.id = tenant_lease."tenantId"
    WHERE lease.id = :lease
      AND NOT EXISTS (SELECT FROM invoice WHERE "leaseId" = lease.id)
    """
)


def main() -> None:
    with a_world() as world:
        world.paystack.habits.latency_seconds = 0.1
        customer = world.paystack.add_customer("bench@example.com")
        with world.engine.begin() as connection:
            portfolio.lay_out(connection, invoices.INVOICES, customer.customer_code)
        before = _as_before(world)  # first: it looks for leases that have no invoice
        rates = {
            "a bare loop": invoices.bare(world.paystack),
            "ours": invoices.ours(world),
            "one op per invoice, multiprocess": _one_op_each(world),
            "one query per lease, ten and a pause": before,
        }
    print("invoices a second at 100 ms latency")
    for way, rate in rates.items():
        print(f"  {way:38} {rate:7.2f}   {rate / rates['a bare loop']:.2f} of the floor")


def _one_op_each(world: World) -> float:
    """The whole run, as a person waits for it, less what an empty one takes."""
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
    main()
