"""A thousand invoices at 100 ms of latency, beside a bare loop with as many requests in flight.

Both go to the same stand-in, in turn. Ours is the real job in a process of its own, timed by the
ledger: from the first mark to the last record, Dagster's steps and storage included.
"""

import asyncio
import statistics
import time
from collections import Counter

import httpx
from sqlalchemy import text

from bench import portfolio
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.sandbox.world import World, a_world

INVOICES = 1_000
IN_FLIGHT = 10
ROUNDS = 3

_TIMED = """
SELECT extract(epoch FROM max(updated_at) - min(attempted_at))
FROM leaseup_dagster.invoice_ledger WHERE state = 'invoiced'
"""
_FORGET = "TRUNCATE leaseup_dagster.invoice_ledger, invoice CASCADE"


def main() -> None:
    with a_world() as world:
        world.paystack.habits.latency_seconds = 0.1
        customer = world.paystack.add_customer("bench@example.com")
        with world.engine.begin() as connection:
            portfolio.lay_out(connection, INVOICES, customer.customer_code)
        rounds = [(ours(world), bare(world.paystack)) for _ in range(ROUNDS)]
    print(f"{INVOICES:,} invoices at 100 ms latency, {IN_FLIGHT} in flight, {ROUNDS} rounds")
    print(f"  ours      {_median(ours for ours, _ in rounds):6.1f} invoices/s")
    print(f"  bare loop {_median(bare for _, bare in rounds):6.1f} requests/s")
    print(f"  ratio     {_median(ours / bare for ours, bare in rounds):6.2f}")
    print(f"  requests per invoice {_requests_per_invoice(world.paystack):.3f}")


def ours(world: World) -> float:
    portfolio.forget_requests(world.paystack)
    with world.engine.begin() as connection:
        connection.execute(text(_FORGET))
    if not world.execute("check_upcoming_invoices", {"plan_invoices": {"as_of": "2026-11-24"}}):
        raise SystemExit(world.log_tail())
    with world.engine.connect() as connection:
        return INVOICES / float(connection.execute(text(_TIMED)).scalar_one())


def bare(paystack: PaystackStandIn) -> float:
    """The floor: no database, no protocol, nothing but requests."""

    async def loop() -> float:
        limits = httpx.Limits(max_connections=IN_FLIGHT)
        headers = {"Authorization": "Bearer sk_test_sandbox", "X-Bench": "bare"}
        body = {"customer": paystack.customers[0].customer_code, "amount": 850_000,
                "currency": "ZAR", "description": "Rent"}  # fmt: skip
        async with httpx.AsyncClient(
            base_url=paystack.url, headers=headers, limits=limits, timeout=30
        ) as client:
            turns = asyncio.Semaphore(IN_FLIGHT)

            async def one() -> None:
                async with turns:
                    (await client.post("/paymentrequest", json=body)).raise_for_status()

            began = time.perf_counter()
            await asyncio.gather(*(one() for _ in range(INVOICES)))
            return INVOICES / (time.perf_counter() - began)

    return asyncio.run(loop())


def _requests_per_invoice(paystack: PaystackStandIn) -> float:
    ours = Counter(
        seen.endpoint for seen in paystack.requests if seen.body.get("description") != "Rent"
    )
    return sum(ours.values()) / (INVOICES * ROUNDS)


def _median(values: "object") -> float:
    return statistics.median(values)  # type: ignore[call-overload, no-any-return]


if __name__ == "__main__":
    main()
