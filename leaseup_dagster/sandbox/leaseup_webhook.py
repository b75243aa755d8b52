"""What LeaseUp's application does when Paystack says that a request was paid; its mistakes too.

It compares cents with rands, so that what is paid in full stays PARTIALLY_PAID; and since only PAID
stops it, the same message again makes a second row.
"""

import secrets
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Connection, text

_INVOICE = text(
    """SELECT id, status::text AS status, "dueAmount" AS rands FROM invoice
    WHERE "paystackId" = :code LIMIT 1"""
)
_TRANSACTION = text(
    """
    INSERT INTO transaction (
        id, "invoiceId", description, "amountPaid", "referenceId", "createdAt", "updatedAt")
    VALUES (:id, :invoice, :description, :rands, :reference, :paid_at, :paid_at)
    """
)
_STATUS = text(
    """UPDATE invoice SET status = CAST(:status AS "InvoiceStatus"), "updatedAt" = :paid_at
    WHERE id = :invoice"""
)


def receive(connection: Connection, event: dict[str, Any]) -> int:
    """The HTTP status of its answer; anything but 200 makes Paystack try again later."""
    if event.get("event") != "paymentrequest.success":
        return 200
    said = event["data"]
    invoice = connection.execute(_INVOICE, {"code": said["request_code"]}).first()
    if invoice is None:
        return 404
    if invoice.status == "PAID":
        return 200
    paid_at = _in_utc(said["paid_at"])
    connection.execute(
        _TRANSACTION,
        {
            "id": secrets.token_urlsafe(15),
            "invoice": invoice.id,
            "description": f"Payment received for {said['description']}",
            "rands": said["amount"] / 100,
            "reference": said["offline_reference"] or said["request_code"],
            "paid_at": paid_at,
        },
    )
    status = "PAID" if said["amount"] == invoice.rands else "PARTIALLY_PAID"
    connection.execute(_STATUS, {"invoice": invoice.id, "status": status, "paid_at": paid_at})
    return 200


def _in_utc(instant: str) -> datetime:
    aware = datetime.fromisoformat(instant.replace("Z", "+00:00"))
    return aware.astimezone(timezone.utc).replace(tzinfo=None)
