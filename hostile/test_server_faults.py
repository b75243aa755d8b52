"""Real faults of LeaseUp's database in the middle of a morning: restarted, failed over, full, cut.

After each: what a person launches again bills the rest, and no month is billed twice or lost.
"""

import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from hostile.debian import Server, a_server, a_small_disk, a_standby
from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from tests.conftest import Start, until
from tests.invoicing.conftest import customer, due_lease  # noqa: F401
from tests.processes import Child

LEASES = 60
MORNING = "check_upcoming_invoices"
CONFIG = {"plan_invoices": {"as_of": "2026-11-24"}}
LOG_SOME = "SELECT pg_logical_emit_message(false, 'filler', repeat('x', 1 << 18))"

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with a_server("-c wal_level=replica -c max_wal_senders=4") as server:
        yield server


@pytest.fixture
def database_url(server: Server) -> Iterator[str]:
    """LeaseUp's database, on Debian's server."""
    yield server.make_leaseup("leaseup")
    if server.runs():
        server.execute("DROP DATABASE leaseup WITH (FORCE)")


@pytest.fixture
def portfolio(
    due_lease: Callable[..., LedgerKey],  # noqa: F811
    paystack: PaystackStandIn,
    settings: pytest.MonkeyPatch,
    connection: Connection,
) -> list[str]:
    """Leases that are all due; a request takes a fifth of a second. The ids."""
    paystack.habits.latency_seconds = 0.2
    leases = [due_lease().lease_id for _ in range(LEASES)]
    connection.close()
    return leases


def billed(paystack: PaystackStandIn) -> int:
    return len(paystack.payment_requests)


def at_work(start: Start, paystack: PaystackStandIn) -> Child:
    """A morning that has billed some and not all."""
    run = start(MORNING, CONFIG)
    until(lambda: billed(paystack) >= 12, 60)
    assert billed(paystack) < LEASES
    return run


@contextmanager
def a_morning_at_work(start: Start, paystack: PaystackStandIn) -> Iterator[None]:
    """Inside, it has billed some and not all; afterwards it has ended, as it may."""
    run = at_work(start, paystack)
    yield
    run.wait(180)


def goes_on(run: Run, server: Server, paystack: PaystackStandIn, leases: list[str]) -> None:
    """The next run, when what had no answer has settled, finishes it all."""
    paystack.habits.latency_seconds = 0
    server.execute(
        "UPDATE leaseup_dagster.invoice_ledger SET attempted_at = attempted_at - interval '1 hour'"
        " WHERE state = 'requesting'",
        "leaseup",
    )
    assert run(MORNING, CONFIG).success
    made = Counter((r.metadata or {})["lease_id"] for r in paystack.payment_requests)
    assert made == Counter(leases)
    rows = server.execute('SELECT "leaseId" AS lease, "paystackId" AS code FROM invoice', "leaseup")
    assert Counter(row.lease for row in rows) == Counter(leases)
    assert {row.code for row in rows} == {r.request_code for r in paystack.payment_requests}


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_it_is_restarted(
    run: Run, start: Start, server: Server, paystack: PaystackStandIn, portfolio: list[str],
    mode: str,
) -> None:  # fmt: skip
    with a_morning_at_work(start, paystack):
        server.stop(mode)
        server.start()

    goes_on(run, server, paystack, portfolio)


def test_idle_connections_are_cut(
    run: Run, start: Start, server: Server, paystack: PaystackStandIn, portfolio: list[str]
) -> None:
    """By a firewall, a host that moves, an administrator: again and again while it is at work."""
    over = threading.Event()

    def cut() -> None:
        while not over.wait(0.1):
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = 'leaseup' AND state = 'idle'"
            )

    cutting = threading.Thread(target=cut)
    try:
        with a_morning_at_work(start, paystack):
            cutting.start()
            until(lambda: billed(paystack) >= LEASES // 2, 60)
    finally:
        over.set()
        cutting.join()

    goes_on(run, server, paystack, portfolio)


def test_a_standby_takes_over_without_the_last_seconds(
    run: Run, start: Start, server: Server, paystack: PaystackStandIn, portfolio: list[str]
) -> None:
    """What was billed in them is at Paystack, and in no database any more."""
    with a_standby(server) as standby:
        with a_morning_at_work(start, paystack):
            standby.execute("ALTER SYSTEM SET primary_conninfo = ''")
            standby.execute("SELECT pg_reload_conf()")
            known = billed(paystack)
            until(lambda: billed(paystack) >= known + 20, 60)
            server.stop("immediate")
            standby.promote()
            standby.stop()
            lost, standby.port = standby.port, server.port
            standby.start()
        recorded = standby.execute("SELECT id FROM invoice", "leaseup")
        assert len(recorded) < billed(paystack)
        try:
            goes_on(run, standby, paystack, portfolio)
        finally:
            standby.stop("immediate")
            standby.port = lost
            server.start()


@contextmanager
def kept_full(server: Server) -> Iterator[None]:
    """Inside, each byte of its disk that is free or that a restart gives back is used up, and what
    space the server has in the files of its log, which would do for dozens of invoices."""
    filler = server.folder / "filler"
    over = threading.Event()

    def fill() -> None:
        with filler.open("wb", buffering=0) as file:
            while not over.wait(0.01):
                with suppress(OSError):
                    while free := shutil.disk_usage(server.folder).free:
                        file.write(b"x" * min(1 << 16, free))
                with suppress(OperationalError):
                    server.execute(LOG_SOME)

    filling = threading.Thread(target=fill)
    filling.start()
    try:
        yield
    finally:
        over.set()
        filling.join()
        filler.unlink()


class TestOfASmallDisk:
    @pytest.fixture
    def server(self) -> Iterator[Server]:
        few = "-c min_wal_size=2MB -c max_wal_size=2MB"
        with a_small_disk(160) as disk, a_server(few, ("--wal-segsize=1",), disk) as server:
            yield server

    def test_it_is_full(
        self, run: Run, start: Start, server: Server, paystack: PaystackStandIn,
        portfolio: list[str],
    ) -> None:  # fmt: skip
        """Nothing can be written, and the server may fall for it."""
        morning = at_work(start, paystack)
        with kept_full(server):
            morning.wait(180)
        sent = billed(paystack)
        if not server.runs():
            server.start()

        assert sent < LEASES
        goes_on(run, server, paystack, portfolio)
