"""How much of Paystack's quota is used while there is work, and whether it is ever exceeded.

The stand-in counts in fixed windows, as Paystack does, at a live integration's 600 a minute. One
and four processes bill with the product's own client and quota; two runs at once are the real job,
twice.
"""

import multiprocessing
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

from sqlalchemy import text

from bench import portfolio
from bench.figures import Figure, tell
from leaseup_dagster.database.connection import open_engine
from leaseup_dagster.database.quota import SharedQuota
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.paystack.errors import NotProcessed
from leaseup_dagster.paystack.models import NewPaymentRequest
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.sandbox.postgres import embedded_postgres
from leaseup_dagster.sandbox.world import World, a_world

LIMIT, SECONDS = 600, 60
WANTED = 0.97
HANDS = 10
CREATE = "POST /paymentrequest"

_BILLING = """
SELECT count(DISTINCT run_id) FROM leaseup_dagster.invoice_history WHERE to_state = 'invoiced'
"""


def figures() -> Iterator[Figure]:
    yield _figure("one process", _processes(1, LIMIT))
    yield _figure("four processes", _processes(4, LIMIT))
    yield _figure("two runs at once", _two_runs())
    for told in (2 * LIMIT, LIMIT // 2):
        yield _figure(f"told {told} in a header", _processes(1, told))


def _figure(what: str, used_and_refused: tuple[float, int]) -> Figure:
    used, refused = used_and_refused
    return Figure(
        f"Paystack's quota in use, {what}",
        f"{used:.1%}, 429 {refused} times",
        f"at least {WANTED:.0%}, and no 429",
        used >= WANTED and not refused,
    )


def _processes(count: int, limit: int) -> tuple[float, int]:
    """The part of `limit` that is used, by workers that think it is LIMIT until they are told."""
    with (
        tempfile.TemporaryDirectory(prefix="leaseup-bench-") as folder,
        embedded_postgres(Path(folder) / "data") as server,
        PaystackStandIn() as paystack,
    ):
        server.create_leaseup("leaseup")
        open_engine(server.url("leaseup"), connections=1).dispose()
        customer = paystack.add_customer("tenant@example.com").customer_code
        paystack.habits.latency_seconds = 0.1
        paystack.habits.rate_limit, paystack.habits.tells_limit = limit, limit != LIMIT
        context = multiprocessing.get_context("spawn")
        start = context.Barrier(count + 1)
        arguments = (server.url("leaseup"), paystack.url, customer, start)
        workers = [context.Process(target=_work, args=arguments) for _ in range(count)]
        for worker in workers:
            worker.start()
        start.wait()
        for worker in workers:
            worker.join()
        return _used(paystack, 0, limit)


def _used(paystack: PaystackStandIn, before: int, limit: int) -> tuple[float, int]:
    """Of what arrived after the first `before` requests; and how many of all were refused."""
    answers = [seen.status for seen in paystack.requests_to(CREATE)]
    return answers[before:].count(200) / (limit / 60 * SECONDS), answers.count(429)


def _work(url, paystack_url, customer, start) -> None:  # type: ignore[no-untyped-def]
    engine = open_engine(url, connections=HANDS)
    quota, stop = SharedQuota(engine, LIMIT, follow=True), threading.Event()
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
        ends_at = time.monotonic() + SECONDS

        def bill(_: int) -> None:
            while True:
                client.wait_for_turn_to_create()
                if time.monotonic() >= ends_at:
                    return
                try:
                    client.create_payment_request(request, send_before=float("inf"))
                except NotProcessed:
                    continue  # the stand-in has counted it

        list(pool.map(bill, range(HANDS)))
    engine.dispose()


def _two_runs() -> tuple[float, int]:
    with a_world(PAYSTACK_RATE_LIMIT=str(LIMIT), TASK_MAX_NEW_INVOICES="10000") as world:
        paystack = world.paystack
        paystack.habits.rate_limit, paystack.habits.latency_seconds = LIMIT, 0.1
        portfolio.let(world, 5 * LIMIT)
        command = ("-m", "leaseup_dagster.definitions", "-j", "check_upcoming_invoices")
        runs = [world.dagster("job", "execute", *command) for _ in range(2)]
        world.children.wait(runs[0], until=lambda: _billing(world) == len(runs))
        before, ends_at = len(paystack.requests_to(CREATE)), time.monotonic() + SECONDS
        ended = world.children.wait(runs[0], until=lambda: time.monotonic() > ends_at)
        if ended is not None or runs[1].poll() is not None:
            raise SystemExit(world.log_tail())
        return _used(paystack, before, LIMIT)


def _billing(world: World) -> int:
    """So many runs have billed something."""
    with world.engine.connect() as connection:
        return int(connection.execute(text(_BILLING)).scalar_one())


if __name__ == "__main__":
    tell(figures())
