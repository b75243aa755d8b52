"""LeaseUp's own tables: only the columns this product uses. Prisma owns and migrates them.

Columns are camelCase and quoted, enums are native, ids are text made by the client, money is
rands in doubles, timestamps are UTC without a zone and `updatedAt` has no default.
"""

import re
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Date,
    DateTime,
    Double,
    Integer,
    MetaData,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import UserDefinedType

from leaseup_dagster.as_of import JOHANNESBURG

metadata = MetaData()


class LeaseUpEnum(UserDefinedType[str]):
    """One of LeaseUp's native enums, read and written as text: a later LeaseUp may have values that
    are not known here, and a row that has one must not stop the others."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: object) -> str:
        """The type's name as PostgreSQL wants it, quoted: it has capitals."""
        return f'"{self.name}"'


InvoiceStatus = LeaseUpEnum("InvoiceStatus")
InvoiceCategory = LeaseUpEnum("InvoiceCategory")
LeaseStatus = LeaseUpEnum("LeaseStatus")
SubscriptionPlanStatus = LeaseUpEnum("SubscriptionPlanStatus")
TransactionMethod = LeaseUpEnum("TransactionMethod")

landlord = Table(
    "user",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text),
    Column("email", Text),
    Column("businessName", Text),
    Column("paystackSplitGroupId", Text),
    Column("paystackSubscriptionStatus", SubscriptionPlanStatus),
)

property_ = Table(
    "property",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text),
    Column("landlordId", Text),
)

unit = Table(
    "unit",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text),
    Column("propertyId", Text),
)

tenant = Table(
    "tenant",
    metadata,
    Column("id", Text, primary_key=True),
    Column("email", Text),
    Column("firstName", Text),
    Column("lastName", Text),
    Column("phone", Text),
    Column("landlordId", Text),
    Column("paystackCustomerId", Text),
    Column("createdAt", DateTime),
    Column("updatedAt", DateTime),
)

customer_code = func.nullif(func.btrim(tenant.c.paystackCustomerId, " \t\r\n"), "")
"""A tenant's customer at Paystack: what is empty or blank is none."""

lease = Table(
    "lease",
    metadata,
    Column("id", Text, primary_key=True),
    Column("startDate", Date),
    Column("endDate", Date),
    Column("rent", Double),
    Column("status", LeaseStatus),
    Column("rentDueCurrency", Text),
    Column("unitId", Text),
    Column("automaticInvoice", Boolean),
    Column("createdAt", DateTime),
)

tenant_lease = Table(
    "tenant_lease",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenantId", Text),
    Column("leaseId", Text),
)

invoice = Table(
    "invoice",
    metadata,
    Column("id", Text, primary_key=True),
    Column("leaseId", Text),
    Column("tenantId", Text),
    Column("landlordId", Text),
    Column("description", Text),
    Column("dueAmount", Double),
    Column("category", InvoiceCategory),
    Column("status", InvoiceStatus),
    Column("paystackId", Text),
    Column("paymentRequestUrl", Text),
    Column("dueDate", Date),
    Column("lineItems", JSONB),
    Column("recurringBillableId", Text),
    Column("offlineReference", Text),
    Column("invoiceNumber", Integer),
    Column("createdAt", DateTime),
    Column("updatedAt", DateTime),
)

recurring_billable = Table(
    "recurring_billable",
    metadata,
    Column("id", Text, primary_key=True),
    Column("startDate", Date),
    Column("category", InvoiceCategory),
    Column("isActive", Boolean),
    Column("leaseId", Text),
)

transaction = Table(
    "transaction",
    metadata,
    Column("id", Text, primary_key=True),
    Column("leaseId", Text),
    Column("invoiceId", Text),
    Column("description", Text),
    Column("amountPaid", Double),
    Column("referenceId", Text),
    Column("method", TransactionMethod),
    Column("createdAt", DateTime),
    Column("updatedAt", DateTime),
)

utc_now = func.timezone("UTC", func.now())
"""What `createdAt` and `updatedAt` hold: UTC, without a zone."""


def in_johannesburg(at: ColumnElement[Any]) -> ColumnElement[Any]:
    """The wall clock there at an instant that these tables hold."""
    return func.timezone(JOHANNESBURG.key, func.timezone("UTC", at))


WRITES: dict[tuple[str, str], tuple[str, ...]] = {
    ("invoice", "INSERT"): (
        "id", "leaseId", "tenantId", "landlordId", "description", "dueAmount", "category",
        "status", "paystackId", "paymentRequestUrl", "dueDate", "lineItems",
        "recurringBillableId", "offlineReference", "updatedAt",
        # Only where it is rehearsed: a rehearsal must not use up a number.
        "invoiceNumber",
    ),
    ("invoice", "UPDATE"): ("status", "lineItems", "offlineReference", "updatedAt"),
    ("transaction", "INSERT"): (
        "id", "leaseId", "invoiceId", "description", "amountPaid", "referenceId", "method",
        "createdAt", "updatedAt",
    ),
    ("tenant", "UPDATE"): ("paystackCustomerId", "updatedAt"),
}  # fmt: skip
"""The columns this product writes, by table and command. It reads all of those above."""

_WHERE = text(
    """
    SELECT place.name FROM unnest(CAST(:path AS text[])) WITH ORDINALITY AS place (name, number)
    JOIN pg_namespace ON nspname = place.name
    JOIN pg_class ON relnamespace = pg_namespace.oid AND relname = 'invoice'
    ORDER BY place.number LIMIT 1
    """
)

# Not information_schema, which leaves out what the user may not see.
_COLUMNS = text(
    """
    SELECT relname || '.' || attname FROM pg_attribute
    JOIN pg_class ON pg_class.oid = attrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = :schema AND attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'p', 'v')
    """
)

_PATH = text("SELECT current_setting('search_path'), current_user")
_NAME = re.compile(r'"((?:[^"]|"")*)"|([^\s,"]+)')


def schema_of(connection: Connection) -> str | None:
    """The schema that LeaseUp's tables are in, the first of the search path that has them; whether
    the user may use it or not."""
    written, user = connection.execute(_PATH).one()
    names = (quoted.replace('""', '"') or bare for quoted, bare in _NAME.findall(written))
    path = [user if name == "$user" else name for name in names]
    return connection.execute(_WHERE, {"path": path}).scalar()


def missing_columns(connection: Connection, schema: str | None) -> list[str]:
    """What this product needs and the schema has not: `table.column`, sorted."""
    found = set(connection.execute(_COLUMNS, {"schema": schema}).scalars())
    needed = {
        f"{table.name}.{column.name}" for table in metadata.sorted_tables for column in table.c
    }
    return sorted(needed - found)
