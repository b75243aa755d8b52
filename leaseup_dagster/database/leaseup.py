"""LeaseUp's own tables: only the columns this product uses. Prisma owns and migrates them.

Columns are camelCase and quoted, enums are native, ids are text made by the client, money is
rands in doubles, timestamps are UTC without a zone and `updatedAt` has no default.
"""

from sqlalchemy import (
    Boolean,
    Column,
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

metadata = MetaData()


class LeaseUpEnum(UserDefinedType[str]):
    """One of LeaseUp's native enums, read and written as text: a later LeaseUp may have values that
    are not known here, and a row that has one must not stop the others."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: object) -> str:
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


def missing_columns(connection: Connection) -> list[str]:
    """What this product needs and the connected database has not: `table.column`, sorted."""
    found = set(
        connection.execute(
            text(
                "SELECT table_name || '.' || column_name FROM information_schema.columns"
                " WHERE table_schema = ANY (current_schemas(false))"
            )
        ).scalars()
    )
    needed = {
        f"{table.name}.{column.name}" for table in metadata.sorted_tables for column in table.c
    }
    return sorted(needed - found)


_WRITTEN = {"tenant": ("UPDATE",), "invoice": ("INSERT", "UPDATE"), "transaction": ("INSERT",)}


def missing_privileges(connection: Connection) -> list[str]:
    """What the connected user may not do and must: `INSERT on invoice`.

    Asked beforehand: a payment request that was made and cannot be recorded is a request too much.
    """
    wanted = [(table, act) for table, acts in _WRITTEN.items() for act in acts]
    asked = text(
        "SELECT act || ' on ' || name FROM unnest(CAST(:tables AS text[]), CAST(:acts AS text[]))"
        " AS wanted(name, act) WHERE NOT has_any_column_privilege(quote_ident(name), act)"
    )
    tables, acts = zip(*wanted, strict=True)
    values = {"tables": list(tables), "acts": list(acts)}
    return list(connection.execute(asked, values).scalars())
