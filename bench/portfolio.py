"""Large portfolios, made inside the database."""

from sqlalchemy import Connection, text

from leaseup_dagster.sandbox.paystack import PaystackStandIn

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


def lay_out(connection: Connection, leases: int, customer: str) -> None:
    """So many active leases with automatic invoicing, none of them billed yet."""
    for statement in _ROWS.split(";"):
        values = {"leases": leases, "customer": customer}
        needed = {name: value for name, value in values.items() if f":{name}" in statement}
        connection.execute(text(statement), needed)
    for table in ("user", "property", "unit", "tenant", "lease", "tenant_lease"):
        connection.exec_driver_sql(f'ANALYZE "{table}"')


def forget_requests(paystack: PaystackStandIn) -> None:
    """As if nothing had been requested yet: what a ledger that was emptied would find again."""
    paystack._books.payment_requests.clear()
    for customer in paystack.customers:
        customer.payment_requests.clear()
