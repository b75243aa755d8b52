"""How much of Paystack's quota is used while there is work, and whether it is ever exceeded.

The stand-in counts in fixed windows, as Paystack does, at a live integration's 600 a minute. Each
process bills with the product's own client and quota; the windows' full length is used.
"""

import multiprocessing
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

from leaseup_dagster.database.connection import open_engine
from leaseup_dagster.database.quota import SharedQuota
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.paystack.errors import NotProcessed
from leaseup_dagster.paystack.models import NewPaymentRequest
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.sandbox.postgres import embedded_postgres

LIMIT = 600
SECONDS = 60
HANDS = 10


def main(seconds: float = SECONDS) -> None:
    print(f"a quota of {LIMIT} a minute, used for {seconds:g} s")
    for what, processes in (("one process", 1), ("four processes", 4)):
        used, exceeded = _use(processes, seconds)
        print(f"  {what:15} {100 * used:5.1f} % used   {exceeded} times 429")


def _use(processes: int, seconds: float) -> tuple[float, int]:
    with (
        tempfile.TemporaryDirectory(prefix="leaseup-bench-") as folder,
        embedded_postgres(Path(folder) / "data") as server,
        PaystackStandIn() as paystack,
    ):
        server.create_leaseup("leaseup")
        open_engine(server.url("leaseup"), connections=1).dispose()
        customer = paystack.add_customer("tenant@example.com").customer_code
        paystack.habits.rate_limit, paystack.habits.latency_seconds = LIMIT, 0.1
        context = multiprocessing.get_context("spawn")
        refused, start = context.Value("i", 0), context.Barrier(processes + 1)
        arguments = (server.url("leaseup"), paystack.url, customer, seconds, refused, start)
        workers = [context.Process(target=_work, args=arguments) for _ in range(processes)]
        for worker in workers:
            worker.start()
        start.wait()
        for worker in workers:
            worker.join()
        made = len(paystack.payment_requests)
    return made / (LIMIT / 60 * seconds), refused.value


def _work(url, paystack_url, customer, seconds, refused, start) -> None:  # type: ignore[no-untyped-def]
    engine = open_engine(url, connections=HANDS)
    quota, stop = SharedQuota(engine, LIMIT), threading.Event()
    request = NewPaymentRequest(
        customer=customer, amount_cents=850_000, currency="ZAR", due_date=date(2026, 12, 1),
        description="Rent", metadata={}, split_code=None, send_notification=False,
    )  # fmt: skip
    with PaystackClient(
        secret_key="sk_test_sandbox", base_url=paystack_url, quota=quota, timeout_seconds=30,
        connections=HANDS, stop=stop,
    ) as client, ThreadPoolExecutor(HANDS) as pool:  # fmt: skip
        client.fetch_customer(customer)
        start.wait()
        ends_at = time.monotonic() + seconds

        def bill(_: int) -> None:
            while True:
                client.wait_for_turn_to_create()
                if time.monotonic() >= ends_at:
                    return
                try:
                    client.create_payment_request(request, send_before=float("inf"))
                except NotProcessed:
                    with refused.get_lock():
                        refused.value += 1

        list(pool.map(bill, range(HANDS)))
    engine.dispose()


if __name__ == "__main__":
    main()
