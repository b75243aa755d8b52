"""Paystack's side of rows that LeaseUp made itself: their customers and payment requests."""

import httpx
from sqlalchemy import Connection, text

from leaseup_dagster.sandbox.paystack import PaystackStandIn

KNOWN = "CUS_known"
"""A tenant's customer code until the stand-in has made one."""

PAID_BEHIND_OUR_BACK = "PRQ_paid"
"""The code of an invoice that is open in LeaseUp and paid at Paystack."""

_INVOICES = text(
    """
    SELECT invoice.id, "paystackId" AS code, "dueAmount" AS rands, invoice.status::text AS status,
           coalesce("dueDate", now()::date) AS due, tenant."paystackCustomerId" AS customer
    FROM invoice JOIN tenant ON tenant.id = invoice."tenantId"
    WHERE invoice.status <> 'DRAFT' ORDER BY "invoiceNumber"
    """
)


_POINT_AT = (
    text('UPDATE invoice SET "paystackId" = :code WHERE id = :id'),
    text("UPDATE leaseup_dagster.invoice_ledger SET request_code = :code WHERE invoice_id = :id"),
)


# As LeaseUp's webhook writes it, a day after the invoice was made.
_HEARD = text(
    """
    INSERT INTO transaction (
        id, "invoiceId", description, "amountPaid", "referenceId", "createdAt", "updatedAt")
    SELECT 'payment-of-' || id, id, 'Payment received for ' || description, "dueAmount", :code,
           paid_at, paid_at
    FROM invoice CROSS JOIN LATERAL (
        SELECT least("createdAt" + interval '1 day', timezone('UTC', now())) AS paid_at) AS day
    WHERE id = :id
    """
)


def mirror(connection: Connection, paystack: PaystackStandIn) -> None:
    """Make what the rows say exists at Paystack, and put its codes into the rows."""
    customers = connection.execute(
        text('SELECT id, email FROM tenant WHERE "paystackCustomerId" = :known'), {"known": KNOWN}
    )
    for tenant in customers.all():
        code = paystack.add_customer(tenant.email).customer_code
        connection.execute(
            text('UPDATE tenant SET "paystackCustomerId" = :code WHERE id = :id'),
            {"code": code, "id": tenant.id},
        )
    key = {"Authorization": "Bearer sk_test_sandbox"}
    with httpx.Client(base_url=paystack.url, headers=key, trust_env=False) as http:
        for invoice in connection.execute(_INVOICES).all():
            code = _payment_request(http, invoice.customer, invoice.rands, invoice.due.isoformat())
            for change in _POINT_AT:
                connection.execute(change, {"code": code, "id": invoice.id})
            if invoice.status == "PAID":
                paystack.pay(code, heard=False)
                connection.execute(_HEARD, {"code": code, "id": invoice.id})
            elif invoice.code == PAID_BEHIND_OUR_BACK:
                paystack.pay(code, heard=False)
            elif invoice.status == "CANCELLED":
                paystack.archive(code)
    paystack.requests.clear()  # the application's, not ours


def _payment_request(http: httpx.Client, customer: str, rands: float, due: str) -> str:
    wanted = {
        "customer": customer, "amount": round(rands * 100), "currency": "ZAR",
        "due_date": f"{due}T21:59:59Z", "description": "Rent", "send_notification": False,
    }  # fmt: skip
    answer = http.post("/paymentrequest", json=wanted).raise_for_status()
    return str(answer.json()["data"]["request_code"])
