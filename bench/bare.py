"""The floor: a loop that only creates payment requests, `IN_FLIGHT` at a time.

No database, no ledger, no Dagster. It runs in a process of its own, as the product does.
"""

import asyncio
import sys
import time

import httpx

from leaseup_dagster.sandbox.world import World

IN_FLIGHT = 10


def seconds(world: World, count: int) -> float:
    """Seconds for `count` payment requests, without the start of the process."""
    output = world.folder / "bare.txt"
    output.unlink(missing_ok=True)
    customer = world.paystack.customers[0].customer_code
    command = [sys.executable, "-m", "bench.bare", world.paystack.url, customer, str(count)]
    if world.children.wait(world.children.start(command, output)) != 0:
        raise SystemExit(output.read_text())
    return float(output.read_text())


async def _requests(url: str, customer: str, count: int) -> float:
    body = {"customer": customer, "amount": 850_000, "currency": "ZAR", "description": "Rent"}
    headers = {"Authorization": "Bearer sk_test_sandbox"}
    remaining = iter(range(count))
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client:

        async def work() -> None:
            for _ in remaining:
                (await client.post("/paymentrequest", json=body)).raise_for_status()

        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
        return time.perf_counter() - began


if __name__ == "__main__":
    print(asyncio.run(_requests(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
