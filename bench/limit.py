"""How much of Paystack's rate limit is used while there is work, and whether it is exceeded.

The stand-in counts in fixed windows, as Paystack does, at 600 requests a minute, the limit of a
live integration. First one and four processes create payment requests with the product's client and
rate limiter. Then the real job runs once, four times at once from shells, and for a day under the
daemon.
"""

import multiprocessing
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date

from sqlalchemy import create_engine

from bench import large_day, portfolio
from bench.figures import Figure, show
from leaseup_dagster.database.connection import open_engine
from leaseup_dagster.database.quota import SharedQuota
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.paystack.errors import NotProcessed
from leaseup_dagster.paystack.models import NewPaymentRequest
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.sandbox.world import World, a_world

LIMIT, SECONDS = 600, 60
WANTED = 0.98
WANTED_OF_RUNS = 0.96
FEW, MANY, A_DAY = 900, 1_500, 6_000
WORKERS = 10
CREATE = "POST /paymentrequest"

JOB = ("-m", "leaseup_dagster.definitions", "-j", "check_upcoming_invoices")


def figures() -> Iterator[Figure]:
    """Run this benchmark; each figure as soon as it is measured."""
    yield _figure("one process", _processes(1, LIMIT), WANTED)
    yield _figure("four processes", _processes(4, LIMIT), WANTED)
    for reported in (2 * LIMIT, LIMIT // 2):
        yield _figure(f"limited to {reported} by a header", _processes(1, reported), WANTED_OF_RUNS)
    yield _figure(f"one run in a shell on {FEW:,}", _runs_in_shells(1, FEW), WANTED_OF_RUNS)
    yield _figure(f"four shells at once on {MANY:,}", _runs_in_shells(4, MANY), WANTED_OF_RUNS)
    yield _figure(f"a day of {A_DAY:,} under the daemon", _a_day(), WANTED_OF_RUNS)


def _figure(what: str, used_and_refused: tuple[float, int], wanted: float) -> Figure:
    used, refused = used_and_refused
    return Figure(
        f"Paystack's quota in use, {what}",
        f"{used:.1%}, 429 {refused} time{'s' * (refused != 1)}",
        f"at least {wanted:.0%}, and no 429",
        used >= wanted and not refused,
    )


def _processes(count: int, limit: int) -> tuple[float, int]:
    """The fraction of `limit` that is used. The workers assume LIMIT until a header reports
    another limit."""
    with portfolio.a_server() as server, PaystackStandIn() as paystack:
        server.create_leaseup("leaseup")
        open_engine(server.url("leaseup"), connections=1).dispose()
        customer = paystack.add_customer("tenant@example.com").customer_code
        paystack.habits.latency_seconds = 0.1
        paystack.habits.rate_limit, paystack.habits.reports_limit = limit, limit != LIMIT
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
    """The fraction used by the requests after the first `before`, and the number of 429 answers."""
    answers = [seen.status for seen in paystack.requests_to(CREATE)]
    return answers[before:].count(200) / (limit / 60 * SECONDS), answers.count(429)


def _work(url, paystack_url, customer, start) -> None:  # type: ignore[no-untyped-def]
    engine = open_engine(url, connections=WORKERS)
    quota, stop = SharedQuota(engine, LIMIT, follow=True), threading.Event()
    request = NewPaymentRequest(
        customer=customer, amount_cents=850_000, currency="ZAR", due_date=date(2026, 12, 1),
        description="Rent", metadata={}, split_code=None, send_notification=False,
    )  # fmt: skip
    with PaystackClient(
        secret_key="sk_test_sandbox", base_url=paystack_url, quota=quota, timeout_seconds=30,
        connections=WORKERS, stop=stop,
    ) as client, ThreadPoolExecutor(WORKERS) as pool:  # fmt: skip
        client.fetch_customer(customer)
        start.wait()
        ends_at = time.monotonic() + SECONDS

        def bill(_: int) -> None:
            while True:
                client.wait_for_slot_to_create()
                if time.monotonic() >= ends_at:
                    return
                try:
                    client.create_payment_request(request, send_before=float("inf"))
                except NotProcessed:
                    continue  # the stand-in counts the 429

        list(pool.map(bill, range(WORKERS)))
    engine.dispose()


def _runs_in_shells(count: int, invoices: int) -> tuple[float, int]:
    """`count` runs of the invoicing job at once."""
    with _a_world() as world:
        portfolio.let(world, invoices)
        runs = [world.dagster("job", "execute", *JOB) for _ in range(count)]
        for run in runs:
            if world.children.wait(run) != 0:
                raise SystemExit(world.log_tail())
        return _from_first_to_last(world.paystack, invoices)


def _a_day() -> tuple[float, int]:
    """One run launched manually; the daemon launches the following ones."""
    with _a_world() as world:
        portfolio.let(world, A_DAY)
        storage = create_engine(world.dagster_url)
        large_day.bill(world, storage, A_DAY)
        storage.dispose()
        return _from_first_to_last(world.paystack, A_DAY)


@contextmanager
def _a_world() -> Iterator[World]:
    with a_world(PAYSTACK_RATE_LIMIT=str(LIMIT), TASK_MAX_NEW_INVOICES="10000") as world:
        world.paystack.habits.rate_limit = LIMIT
        world.paystack.habits.latency_seconds = 0.1
        yield world


def _from_first_to_last(paystack: PaystackStandIn, invoices: int) -> tuple[float, int]:
    """The fraction of the limit used from the first invoice to the last, and the number of 429
    answers."""
    seen = paystack.requests_to(CREATE)
    made = sorted(request.arrived_at for request in seen if request.status == 200)
    if len(made) != invoices:
        raise SystemExit(f"payment requests: {len(made)}, leases: {invoices}")
    used = (len(made) - 1) / (made[-1] - made[0]) / (LIMIT / 60)
    return used, [request.status for request in seen].count(429)


if __name__ == "__main__":
    show(figures())
