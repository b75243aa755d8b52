"""Large portfolios, generated inside the database."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from sqlalchemy import Connection, Engine, text

from leaseup_dagster.database.connection import open_engine
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.sandbox.postgres import Postgres, embedded_postgres
from leaseup_dagster.sandbox.world import World

_ROWS = """
INSERT INTO "user" (id, name, email, "paystackSplitGroupId", "updatedAt")
    SELECT 'landlord-' || n, 'Landlord', n || '@landlord.example', 'SPL_bench', now()
    FROM generate_series(1, greatest(1, :leases / 100)) AS n;
INSERT INTO property (id, name, "addressLine1", city, state, zip, "landlordId", "updatedAt")
    SELECT 'property-' || n, 'Rose Court', '1 Long Street', 'Cape Town', 'WC', '8001',
           'landlord-' || n, now()
    FROM generate_series(1, greatest(1, :leases / 100)) AS n;
INSERT INTO unit (id, "propertyId", name, "updatedAt")
    SELECT 'unit-' || n, 'property-' || 1 + n % greatest(1, :leases / 100), 'Unit ' || n, now()
    FROM generate_series(1, :leases) AS n;
INSERT INTO tenant (id, email, "firstName", "lastName", phone, "landlordId",
                    "paystackCustomerId", "updatedAt")
    SELECT 'tenant-' || n, n || '@tenant.example', 'Thabo', 'Mokoena', '0' || 820000000 + n,
           'landlord-' || 1 + n % greatest(1, :leases / 100), :customer, now()
    FROM generate_series(1, :leases) AS n;
INSERT INTO lease (id, "startDate", rent, deposit, status, "rentDueCurrency", "unitId",
                   "automaticInvoice", "leaseType", "updatedAt")
    SELECT 'lease-' || n, date '2024-01-01' + n % 600, 5000 + n % 9000, 5000, 'ACTIVE', 'ZAR',
           'unit-' || n, true, 'FIXED_TERM', now()
    FROM generate_series(1, :leases) AS n;
INSERT INTO tenant_lease (id, "tenantId", "leaseId")
    SELECT 'tl-' || n, 'tenant-' || n, 'lease-' || n FROM generate_series(1, :leases) AS n
"""

# One invoice for each past month. Every tenth lease has not paid the latest one.
_HISTORY = """
INSERT INTO invoice (id, "leaseId", "tenantId", "landlordId", description, "dueAmount", category,
                     status, "paystackId", "dueDate", "updatedAt")
    SELECT 'invoice-' || month || '-' || n, 'lease-' || n, 'tenant-' || n,
           'landlord-' || 1 + n % greatest(1, :leases / 100), 'Rent', 5000 + n % 9000, 'RENT',
           CAST(CASE WHEN month = 1 AND n % 10 = 0 THEN 'PENDING' ELSE 'PAID' END
               AS "InvoiceStatus"),
           'PRQ_' || month || '_' || n, due, now()
    FROM generate_series(1, :leases) AS n CROSS JOIN generate_series(1, :months) AS month
    CROSS JOIN LATERAL (SELECT CAST(date '2024-01-01' + n % 600 AS date) AS start) AS lease
    CROSS JOIN LATERAL (SELECT CAST(start + make_interval(months => CAST(
        (date_part('year', CAST(:as_of AS date)) - date_part('year', start)) * 12
        + date_part('month', CAST(:as_of AS date)) - date_part('month', start) - month AS integer
    )) AS date) AS due) AS month_before
    WHERE due >= start;
INSERT INTO transaction (id, "invoiceId", description, "amountPaid", "updatedAt")
    SELECT 'paid-' || id, id, 'Rent', "dueAmount", now() FROM invoice WHERE status = 'PAID'
"""


@contextmanager
def a_server() -> Iterator[Postgres]:
    """A PostgreSQL server for one benchmark."""
    with (
        tempfile.TemporaryDirectory(prefix="leaseup-bench-") as folder,
        embedded_postgres(Path(folder) / "data") as server,
    ):
        yield server


@contextmanager
def a_database(leases: int) -> Iterator[Engine]:
    """A database with `leases` leases on a server of its own, without the rest of the sandbox."""
    with a_server() as server:
        server.create_leaseup("leaseup")
        engine = open_engine(server.url("leaseup"), connections=4)
        with engine.begin() as connection:
            lay_out(connection, leases, "CUS_bench")
        yield engine
        engine.dispose()


def lay_out(connection: Connection, leases: int, customer: str) -> None:
    """Insert active leases with automatic invoicing, none of them billed yet."""
    insert(connection, _ROWS, leases=leases, customer=customer)
    for table in ("user", "property", "unit", "tenant", "lease", "tenant_lease"):
        connection.exec_driver_sql(f'ANALYZE "{table}"')


def let(world: World, leases: int) -> None:
    """Insert leases into a sandbox, all of one customer of its Paystack."""
    customer = world.paystack.add_customer("bench@example.com")
    with world.engine.begin() as connection:
        lay_out(connection, leases, customer.customer_code)


def lay_out_history(connection: Connection, leases: int, months: int, as_of: date) -> None:
    """Insert the invoices of the `months` months before that of `as_of`, and their payments."""
    insert(connection, _HISTORY, leases=leases, months=months, as_of=as_of)


def insert(connection: Connection, statements: str, **values: object) -> None:
    """Execute `statements`, separated by semicolons, each with those `values` that it names."""
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    for statement in statements.split(";"):
        needed = {name: value for name, value in values.items() if f":{name}" in statement}
        connection.execute(text(statement), needed)


def clear_requests(paystack: PaystackStandIn) -> None:
    """Delete all payment requests at the stand-in, which an empty ledger would adopt."""
    paystack._books.payment_requests.clear()
    for customer in paystack.customers:
        customer.payment_requests.clear()
