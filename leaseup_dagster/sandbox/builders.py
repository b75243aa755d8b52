"""Rows of LeaseUp's tables, as the application would write them: `a_lease(connection, …)`.

Each builder makes what it needs and was not given, and returns the new row's id.
"""

import itertools
from collections.abc import Sequence
from datetime import date, datetime, timezone
from typing import Any

from sqlalchemy import Connection

_number = itertools.count(1)


def number_from(start: int) -> None:
    """For a process that adds to the rows of another: below ten million, which is a phone."""
    global _number  # noqa: PLW0603 - one numbering for all builders
    _number = itertools.count(start)


def insert(connection: Connection, table: str, **values: Any) -> str:
    """One row; `id` and `updatedAt` are filled in where the table wants them."""
    values = {"id": f"{table}-{next(_number)}", **values}
    if table not in ("tenant_lease", "recurring_billable"):
        values.setdefault("updatedAt", datetime.now(timezone.utc).replace(tzinfo=None))
    columns = ", ".join(f'"{name}"' for name in values)
    places = ", ".join(f"%({name})s" for name in values)
    connection.exec_driver_sql(f'INSERT INTO "{table}" ({columns}) VALUES ({places})', values)
    return str(values["id"])


def a_landlord(connection: Connection, **values: Any) -> str:
    number = next(_number)
    defaults = {
        "name": "Naledi Dlamini",
        "email": f"landlord{number}@example.com",
        "businessName": "Dlamini Properties",
        "paystackSplitGroupId": "SPL_demo000001",
        "paystackSubscriptionStatus": "ACTIVE",
    }
    return insert(connection, "user", **(defaults | values))


def a_unit(
    connection: Connection,
    landlord: str,
    *,
    name: str = "Unit 4",
    property: str = "Rose Court",
    **values: Any,
) -> str:
    """A unit in a property of its own; `values` are the property's."""
    home = insert(
        connection, "property", name=property, addressLine1="12 Long Street", city="Cape Town",
        state="Western Cape", zip="8001", landlordId=landlord, **values,
    )  # fmt: skip
    return insert(connection, "unit", propertyId=home, name=name)


def a_tenant(connection: Connection, landlord: str, **values: Any) -> str:
    """Without a Paystack customer unless `paystackCustomerId` is given."""
    number = next(_number)
    defaults = {
        "firstName": "Thabo",
        "lastName": "Mokoena",
        "email": f"tenant{number}@example.com",
        "phone": f"082{number:07}",
        "landlordId": landlord,
    }
    return insert(connection, "tenant", **(defaults | values))


def a_lease(
    connection: Connection,
    *,
    start: date,
    landlord: str | None = None,
    tenants: Sequence[str] | None = None,
    unit: str | None = "",
    **values: Any,
) -> str:
    """Active, in rand, invoiced automatically. `unit=None` leaves it without a unit."""
    landlord = landlord or a_landlord(connection)
    if unit == "":
        unit = a_unit(connection, landlord)
    if tenants is None:
        tenants = [a_tenant(connection, landlord)]
    defaults = {
        "startDate": start,
        "rent": 8500.0,
        "deposit": 8500.0,
        "status": "ACTIVE",
        "rentDueCurrency": "ZAR",
        "unitId": unit,
        "automaticInvoice": True,
        "leaseType": "FIXED_TERM",
    }
    lease = insert(connection, "lease", **(defaults | values))
    for tenant in tenants:
        insert(connection, "tenant_lease", tenantId=tenant, leaseId=lease)
    return lease


def an_invoice(connection: Connection, lease: str | None, due: date | None, **values: Any) -> str:
    """A rent invoice of the lease, for its first tenant and its landlord, PENDING."""
    of_lease = {}
    if lease is not None:
        of_lease = dict(
            connection.exec_driver_sql(
                'SELECT tenant_lease."tenantId", property."landlordId" FROM lease'
                ' JOIN tenant_lease ON tenant_lease."leaseId" = lease.id'
                ' JOIN unit ON unit.id = lease."unitId"'
                ' JOIN property ON property.id = unit."propertyId" WHERE lease.id = %(lease)s'
                " ORDER BY tenant_lease.id LIMIT 1",
                {"lease": lease},
            )
            .mappings()
            .one()
        )
    defaults = {
        "leaseId": lease,
        "description": "Rent",
        "dueAmount": 8500.0,
        "category": "RENT",
        "status": "PENDING",
        "paystackId": f"PRQ_app{next(_number):012}",
        "dueDate": due,
    }
    return insert(connection, "invoice", **(of_lease | defaults | values))


def a_recurring_billable(connection: Connection, lease: str, tenant: str, **values: Any) -> str:
    """The application's own rule for the lease's rent."""
    defaults = {
        "startDate": date(2026, 1, 1),
        "description": "Rent",
        "amount": 8500.0,
        "category": "RENT",
        "cycle": "MONTHLY",
        "nextInvoiceAt": date(2026, 12, 1),
        "leaseId": lease,
        "tenantId": tenant,
    }
    return insert(connection, "recurring_billable", **(defaults | values))


def a_transaction(connection: Connection, invoice: str, rands: float, **values: Any) -> str:
    """A payment of the invoice."""
    defaults = {"invoiceId": invoice, "description": "Payment", "amountPaid": rands}
    return insert(connection, "transaction", **(defaults | values))
