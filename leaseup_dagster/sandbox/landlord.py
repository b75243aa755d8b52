"""What a landlord does in LeaseUp's application: the rows that its pages write, and nothing else.

Where a page first asks Paystack, so does this.
"""

import json
import secrets
from datetime import date, timedelta
from typing import Any

from dateutil.relativedelta import relativedelta
from sqlalchemy import Connection, text

from leaseup_dagster.sandbox.builders import a_lease, a_recurring_billable, insert
from leaseup_dagster.sandbox.paystack import PaystackStandIn

_STATUS = text(
    """UPDATE invoice SET status = CAST(:status AS "InvoiceStatus"),
    "updatedAt" = timezone('UTC', now()) WHERE id = :id"""
)


def mark_as_paid(connection: Connection, invoice: str) -> str:
    """The transaction's id. The payment request stays open at Paystack."""
    row = connection.execute(
        text('SELECT "leaseId", "invoiceNumber", "dueAmount" FROM invoice WHERE id = :id'),
        {"id": invoice},
    ).one()
    connection.execute(_STATUS, {"id": invoice, "status": "PAID"})
    return insert(
        connection, "transaction", id=secrets.token_urlsafe(15), invoiceId=invoice,
        leaseId=row.leaseId, description=f"Offline payment for invoice {row.invoiceNumber}",
        amountPaid=row.dueAmount, method="OFFLINE",
    )  # fmt: skip


def void(connection: Connection, paystack: PaystackStandIn, invoice: str) -> None:
    """Archived at Paystack, then CANCELLED."""
    code = connection.execute(
        text('SELECT "paystackId" FROM invoice WHERE id = :id'), {"id": invoice}
    ).scalar_one()
    paystack.archive(code)
    connection.execute(_STATUS, {"id": invoice, "status": "CANCELLED"})


def make_invoice(
    connection: Connection,
    paystack: PaystackStandIn,
    *,
    lease: str,
    rands: float,
    due: date | None,
    category: str = "RENT",
    notes: str = "rent",
    **values: Any,
) -> str:
    """An invoice manually: the payment request first, without a due date or metadata."""
    of = connection.execute(
        text(
            """
            SELECT tenant.id, tenant.email, tenant."landlordId" AS landlord FROM tenant_lease
            JOIN tenant ON tenant.id = tenant_lease."tenantId"
            WHERE tenant_lease."leaseId" = :lease ORDER BY tenant."createdAt", tenant.id LIMIT 1
            """
        ),
        {"lease": lease},
    ).one()
    made = paystack.make_request(
        paystack.add_customer(of.email), round(rands * 100),
        description=f"Your landlord has sent you an invoice  - {notes}",
    )  # fmt: skip
    items = [{"name": "Rent", "quantity": 1, "rate": rands, "amount": made.amount}]
    fields = {
        "id": secrets.token_urlsafe(15), "leaseId": lease, "tenantId": of.id,
        "landlordId": of.landlord, "description": f"- {notes}", "dueAmount": rands,
        "category": category, "status": "PENDING", "paystackId": made.request_code,
        "paymentRequestUrl": f"https://paystack.shop/pay/{made.request_code}", "dueDate": due,
        "lineItems": json.dumps(items), "offlineReference": made.offline_reference,
    }  # fmt: skip
    return insert(connection, "invoice", **(fields | values))


def make_lease_with_past(
    connection: Connection, *, today: date, start: date, landlord: str, tenant: str, unit: str
) -> str:
    """A lease with *past invoices are paid*: one for each whole month since its start."""
    lease = a_lease(
        connection, start=start, landlord=landlord, tenants=[tenant], unit=unit,
    )  # fmt: skip
    a_recurring_billable(connection, lease, tenant, startDate=start)
    month = start
    while month + relativedelta(months=1) <= today:
        named = f"{month:%Y-%m}-{secrets.token_hex(4)}"
        items = [{"description": "Rent", "quantity": 1, "rate": 8500, "amount": 8500}]
        invoice = insert(
            connection, "invoice", leaseId=lease, tenantId=tenant, landlordId=landlord,
            description=f"Rent for {month:%B %Y}", dueAmount=8500.0, category="RENT",
            status="PAID", paystackId=f"OFFLINE-{named}", dueDate=month + relativedelta(months=1),
            lineItems=json.dumps(items), offlineReference=f"PAST-RENT-{named}",
        )  # fmt: skip
        insert(
            connection, "transaction", invoiceId=invoice, leaseId=lease, amountPaid=8500.0,
            description="Past rent", referenceId=f"PAST-TXN-{named}", method="OFFLINE",
        )  # fmt: skip
        month += relativedelta(months=1)
    return lease


def change_tenant(connection: Connection, lease: str, tenant: str) -> None:
    """Who lives there is deleted and written anew; earlier invoices keep the former tenant."""
    connection.execute(text('DELETE FROM tenant_lease WHERE "leaseId" = :id'), {"id": lease})
    insert(connection, "tenant_lease", tenantId=tenant, leaseId=lease)


def end_lease(connection: Connection, lease: str, on: date) -> None:
    """Open invoices stay as they are, payable."""
    connection.execute(
        text("""UPDATE lease SET status = 'ENDED', "endDate" = :on WHERE id = :id"""),
        {"id": lease, "on": on},
    )
    connection.execute(
        text(
            """UPDATE recurring_billable SET "isActive" = false, "endDate" = :on
            WHERE "leaseId" = :id AND "isActive" """
        ),
        {"id": lease, "on": on},
    )


def edit_tenant(connection: Connection, tenant: str, **columns: str) -> None:
    """In LeaseUp only: the Paystack customer keeps the old data."""
    changes = ", ".join(f'"{name}" = :{name}' for name in columns)
    connection.execute(
        text(f"UPDATE tenant SET {changes} WHERE id = :id"), {"id": tenant, **columns}
    )


def run_monthly_task(
    connection: Connection, paystack: PaystackStandIn, today: date, *, days_ahead: int = 50
) -> list[str]:
    """LeaseUp's own task, where it is still switched on: the invoices that it makes."""
    rows = connection.execute(
        text(
            """
            SELECT id, "leaseId" AS lease, "startDate" AS start, amount FROM recurring_billable
            WHERE "isActive" AND category = 'RENT' AND "leaseId" IS NOT NULL ORDER BY id
            """
        )
    ).all()
    made = []
    for row in rows:
        months = 1
        while (due := row.start + relativedelta(months=months)) <= today:
            months += 1
        known = connection.execute(
            text('SELECT 1 FROM invoice WHERE "recurringBillableId" = :id AND "dueDate" = :due'),
            {"id": row.id, "due": due},
        ).first()
        if known or due > today + timedelta(days=days_ahead):
            continue
        made.append(
            make_invoice(
                connection, paystack, lease=row.lease, rands=row.amount, due=due,
                recurringBillableId=row.id,
            )
        )  # fmt: skip
    return made
