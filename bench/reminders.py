"""The speed of reminders.

1. 1,000 reminders through the real job, with stand-ins that take 100 ms for every answer, compared
   with a bare loop that makes the same calls at the same concurrency.
2. Scanning millions of invoices for those that are overdue, and for the tenants to text.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path

import dagster as dg
import httpx
from sqlalchemy import Connection, Engine, text

from bench import portfolio
from bench.figures import Figure, at_least, at_most, show
from leaseup_dagster.database.connection import open_engine
from leaseup_dagster.reminders.overdue import queries, selection
from leaseup_dagster.reminders.rules.policy import ReminderPolicy
from leaseup_dagster.reminders.sending.circuit_breaker import FAILURE_THRESHOLD
from leaseup_dagster.sandbox.postgres import embedded_postgres
from leaseup_dagster.sandbox.twilio import ACCOUNT, TOKEN

REMINDERS = 1_000
WANTED = {1_000_000: 15, 5_000_000: 90}
LATENCY_MS, ASKED_AT_ONCE = 100, 10
AS_OF = date(2026, 11, 5)
KEY = "sk_test_sandbox"

# Every `:every`th invoice is unpaid; the others were paid in LeaseUp.
_PORTFOLIO = """
INSERT INTO "user" (id, name, email, "updatedAt")
    SELECT 'u' || n, 'Landlord', n || '@example.com', now() FROM generate_series(1, 100) n;
INSERT INTO property (id, name, "addressLine1", city, state, zip, "landlordId", "updatedAt")
    SELECT 'p' || n, 'Rose Court', '', '', '', '', 'u' || n, now() FROM generate_series(1, 100) n;
INSERT INTO unit (id, name, "propertyId", "updatedAt")
    SELECT 'n' || n, 'Unit ' || n, 'p' || 1 + n % 100, now() FROM generate_series(1, :leases) n;
INSERT INTO tenant (id, email, "firstName", "lastName", phone, "landlordId", "updatedAt")
    SELECT 't' || n, n || '@example.com', 'Thabo', 'M', '0' || 820000000 + n, 'u' || 1 + n % 100,
           now() FROM generate_series(1, :leases) n;
INSERT INTO lease (id, "startDate", rent, deposit, status, "rentDueCurrency", "unitId",
                   "leaseType", "updatedAt")
    SELECT 'l' || n, '2026-01-01', 8500, 0, 'ACTIVE', 'ZAR', 'n' || n, 'MONTHLY', now()
    FROM generate_series(1, :leases) n;
INSERT INTO tenant_lease (id, "tenantId", "leaseId")
    SELECT 'x' || n, 't' || n, 'l' || n FROM generate_series(1, :leases) n;
INSERT INTO invoice (id, "leaseId", "tenantId", "landlordId", description, "dueAmount", category,
                     status, "paystackId", "dueDate", "updatedAt")
    SELECT 'i' || n, 'l' || 1 + n % :leases, 't' || 1 + n % :leases, 'u' || 1 + n % 100, 'Rent',
           8500, 'RENT',
           CAST(CASE n % :every WHEN 0 THEN 'PENDING' ELSE 'PAID' END AS "InvoiceStatus"),
           'PRQ_' || n, DATE '2026-11-01' - (n / :leases)::int * 30, now()
    FROM generate_series(0, :invoices - 1) n;
INSERT INTO transaction (id, "invoiceId", description, "amountPaid", "updatedAt")
    SELECT 'x' || id, id, 'Rent', 8500, now() FROM invoice WHERE status = 'PAID';
ANALYZE
"""


def figures() -> Iterator[Figure]:
    """Run this benchmark; each figure as soon as it is measured."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # an .env in the working directory would override the settings below
        with embedded_postgres(Path(folder) / "data", durable=True) as postgres:
            postgres.create_leaseup("sending")
            at_once = f"{ASKED_AT_ONCE} asked and {FAILURE_THRESHOLD} texted at once"
            what = f"{REMINDERS:,} reminders, {at_once}, beside a bare loop"
            yield at_least(what, _sending(postgres.url("sending")), 0.7)
            for invoices, seconds in WANTED.items():
                name = f"scanning_{invoices}"
                postgres.create_leaseup(name)
                yield _scanning(postgres.url(name), invoices, seconds)


def _scanning(database_url: str, invoices: int, seconds: float) -> Figure:
    engine = open_engine(database_url, 2)
    _fill(engine, leases=invoices // 10, invoices=invoices, every=10)
    began = time.perf_counter()
    with engine.begin() as connection:
        marked = queries.mark_overdue(connection, AS_OF)
    between = time.perf_counter()
    with engine.begin() as connection:
        found = selection.find(connection, ReminderPolicy(3, 7, 4), AS_OF)
    ended = time.perf_counter()
    engine.dispose()
    what = (
        f"scan {invoices:,} invoices, mark {marked:,} overdue ({between - began:.1f} s)"
        f" and find {found.late:,} late ({ended - between:.1f} s)"
    )
    return at_most(what, ended - began, seconds, " s")


def _sending(database_url: str) -> float:
    """The job's speed as a fraction of the bare loop's."""
    engine = open_engine(database_url, 2)
    _fill(engine, leases=REMINDERS, invoices=REMINDERS, every=1)
    with ExitStack() as stack:
        paystack = stack.enter_context(_stand_in("paystack", "--key", KEY))
        twilio = stack.enter_context(_stand_in("twilio"))
        with engine.begin() as connection:
            _request_each(connection, paystack)
        bare = _bare_loop(engine, paystack, twilio)
        job = _job(database_url, paystack, twilio)
        texts = len(httpx.get(f"{twilio}/_sandbox/messages").json()["messages"])
    engine.dispose()
    if texts != 2 * REMINDERS:
        raise SystemExit(f"{texts} texts went out, not {2 * REMINDERS}")
    return bare / job


def _job(database_url: str, paystack: str, twilio: str) -> float:
    os.environ |= {
        "DATABASE_URL": database_url,
        "PAYSTACK_SECRET_KEY": KEY,
        "PAYSTACK_BASE_URL": paystack,
        "PAYSTACK_RATE_LIMIT": "1000000",
        "SMS_ENABLED": "true",
        "SMS_PROVIDER": "twilio",
        "SMS_API_KEY": ACCOUNT,
        "SMS_API_SECRET": TOKEN,
        "SMS_FROM_NUMBER": "LeaseUp",
        "TWILIO_BASE_URL": twilio,
    }
    from leaseup_dagster.definitions import defs  # noqa: PLC0415 - its import is not measured

    config = {
        "ops": {
            "mark_overdue_invoices": {
                "config": {"as_of": AS_OF.isoformat(), "ignore_quiet_hours": True}
            }
        },
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
    }
    job = defs.resolve_job_def("send_late_payment_reminders")
    with dg.DagsterInstance.ephemeral() as instance:
        began = time.perf_counter()
        result = job.execute_in_process(run_config=config, instance=instance)
        seconds = time.perf_counter() - began
    if not result.success:
        raise SystemExit("the job failed")
    return seconds


def _bare_loop(engine: Engine, paystack: str, twilio: str) -> float:
    """Seconds of the same calls at the same concurrency, without anything else."""
    with engine.connect() as connection:
        codes = list(connection.execute(text('SELECT "paystackId" FROM invoice')).scalars())
    limits = httpx.Limits(max_connections=ASKED_AT_ONCE)
    with httpx.Client(limits=limits, timeout=30) as http:

        def ask(code: str) -> None:
            url = f"{paystack}/paymentrequest/verify/{code}"
            http.get(url, headers={"Authorization": f"Bearer {KEY}"}).raise_for_status()

        def send(number: int) -> None:
            form = {"To": f"+2782{number:07}", "Body": "Rent is unpaid.", "From": "LeaseUp"}
            url = f"{twilio}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
            http.post(url, data=form, auth=(ACCOUNT, TOKEN)).raise_for_status()

        began = time.perf_counter()
        with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
            list(pool.map(ask, codes))
        with ThreadPoolExecutor(FAILURE_THRESHOLD) as pool:
            list(pool.map(send, range(len(codes))))
        return time.perf_counter() - began


def _request_each(connection: Connection, paystack: str) -> None:
    """Create a payment request at the stand-in for every invoice."""
    ids = list(connection.execute(text("SELECT id FROM invoice")).scalars())
    with httpx.Client(base_url=paystack, headers={"Authorization": f"Bearer {KEY}"}) as http:
        customer = http.post("/customer", json={"email": "t@example.com"}).json()["data"]["id"]
        body = {"customer": customer, "amount": 850_000, "currency": "ZAR", "description": "Rent"}

        def request(_: str) -> str:
            return http.post("/paymentrequest", json=body).json()["data"]["request_code"]

        with ThreadPoolExecutor(50) as pool:
            codes = list(pool.map(request, ids))
    update = text('UPDATE invoice SET "paystackId" = :code WHERE id = :id')
    pairs = zip(ids, codes, strict=True)
    connection.execute(update, [{"id": id_, "code": code} for id_, code in pairs])


def _fill(engine: Engine, **sizes: int) -> None:
    with engine.begin() as connection:
        portfolio.insert(connection, _PORTFOLIO, **sizes)


@contextmanager
def _stand_in(name: str, *arguments: str) -> Iterator[str]:
    """The URL of a stand-in in a process of its own, so that it does not share a core with what
    is measured."""
    module = f"leaseup_dagster.sandbox.{name}"
    command = [sys.executable, "-m", module, "--port", "0", "--latency-ms", str(LATENCY_MS)]
    process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        words = process.stdout.readline().split()
        yield next(word for word in words if word.startswith("http")).rstrip(":")
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    show(figures())
