"""Failures of LeaseUp's database server during an invoicing run: restart, failover, full disk.

After each, a run that an operator launches bills the rest, and no month is billed twice or lost.
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
FILL_WAL = "SELECT pg_logical_emit_message(false, 'filler', repeat('x', 1 << 18))"

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that a standby can follow."""
    with a_server("-c wal_level=replica -c max_wal_senders=4") as server:
        yield server


@pytest.fixture
def database_url(server: Server) -> Iterator[str]:
    """LeaseUp's database, on Debian's server."""
    yield server.make_leaseup("leaseup")
    if server.is_running():
        server.execute("DROP DATABASE leaseup WITH (FORCE)")


@pytest.fixture
def portfolio(
    due_lease: Callable[..., LedgerKey],  # noqa: F811
    paystack: PaystackStandIn,
    settings: pytest.MonkeyPatch,
    connection: Connection,
) -> list[str]:
    """The ids of leases that are all due. A request takes a fifth of a second."""
    paystack.habits.latency_seconds = 0.5
    leases = [due_lease().lease_id for _ in range(LEASES)]
    connection.close()
    return leases


def billed(paystack: PaystackStandIn) -> int:
    """The number of payment requests so far."""
    return len(paystack.payment_requests)


def a_run_in_progress(start: Start, paystack: PaystackStandIn) -> Child:
    """An invoicing run that has billed some of the leases."""
    run = start(MORNING, CONFIG)
    until(lambda: billed(paystack) >= 12, 60)
    assert billed(paystack) < LEASES
    return run


@contextmanager
def during_a_run(start: Start, paystack: PaystackStandIn) -> Iterator[None]:
    """Within the block a run has billed some of the leases. Afterwards it has ended, successfully
    or not."""
    run = a_run_in_progress(start, paystack)
    yield
    run.wait(180)


def assert_the_next_run_completes(
    run: Run, server: Server, paystack: PaystackStandIn, leases: list[str]
) -> None:
    """The next run, once unanswered requests have settled, bills the rest."""
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
def test_the_server_is_restarted(
    run: Run, start: Start, server: Server, paystack: PaystackStandIn, portfolio: list[str],
    mode: str,
) -> None:  # fmt: skip
    with during_a_run(start, paystack):
        server.stop(mode)
        server.start()

    assert_the_next_run_completes(run, server, paystack, portfolio)


def test_idle_connections_are_cut(
    run: Run, start: Start, server: Server, paystack: PaystackStandIn, portfolio: list[str]
) -> None:
    """As by a firewall, a failover or an administrator, repeatedly during the run."""
    over = threading.Event()

    def cut() -> None:
        while not over.wait(0.1):
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = 'leaseup' AND state = 'idle'"
            )

    cutting = threading.Thread(target=cut)
    try:
        with during_a_run(start, paystack):
            cutting.start()
            until(lambda: billed(paystack) >= LEASES // 2, 60)
    finally:
        over.set()
        cutting.join()

    assert_the_next_run_completes(run, server, paystack, portfolio)


def test_a_standby_takes_over_without_the_last_seconds(
    run: Run, start: Start, server: Server, paystack: PaystackStandIn, portfolio: list[str]
) -> None:
    """What was billed in the last seconds is at Paystack, but in no database."""
    with a_standby(server) as standby:
        with during_a_run(start, paystack):
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
            assert_the_next_run_completes(run, standby, paystack, portfolio)
        finally:
            standby.stop("immediate")
            standby.port = lost
            server.start()


@contextmanager
def kept_full(server: Server) -> Iterator[None]:
    """Within the block the disk is kept full, including what a restart frees and the free space in
    the WAL files, which would suffice for dozens of invoices."""
    filler = server.folder / "filler"
    over = threading.Event()

    def fill() -> None:
        with filler.open("wb", buffering=0) as file:
            while not over.wait(0.01):
                with suppress(OSError):
                    while free := shutil.disk_usage(server.folder).free:
                        file.write(b"x" * min(1 << 16, free))
                with suppress(OperationalError):
                    server.execute(FILL_WAL)

    filling = threading.Thread(target=fill)
    filling.start()
    try:
        yield
    finally:
        over.set()
        filling.join()
        filler.unlink()


class TestASmallDisk:
    """The server's disk has 160 MB."""

    @pytest.fixture
    def server(self) -> Iterator[Server]:
        """A server on a small disk, with small WAL files."""
        options = "-c min_wal_size=2MB -c max_wal_size=2MB"
        with a_small_disk(160) as disk, a_server(options, ("--wal-segsize=1",), disk) as server:
            yield server

    def test_a_full_disk(
        self, run: Run, start: Start, server: Server, paystack: PaystackStandIn,
        portfolio: list[str],
    ) -> None:  # fmt: skip
        """Nothing can be written, and the server may stop."""
        running = a_run_in_progress(start, paystack)
        with kept_full(server):
            running.wait(180)
        sent = billed(paystack)
        if not server.is_running():
            server.start()

        assert sent < LEASES
        assert_the_next_run_completes(run, server, paystack, portfolio)
