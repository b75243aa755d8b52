"""What one Paystack integration holds, and how each endpoint words it.

The wording differs as Paystack's does: a creation gives the customer's id and milliseconds,
reading back gives the customer's object and whole seconds, and only a fetch says `archived`.
"""

import itertools
import json
import secrets
import string
import threading
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

INTEGRATION = 428626


@dataclass
class StoredCustomer:
    id: int
    customer_code: str
    email: str
    first_name: str | None
    last_name: str | None
    phone: str | None
    metadata: dict[str, Any] | None
    created_at: datetime
    payment_requests: list["StoredPaymentRequest"] = field(default_factory=list, repr=False)

    def wording(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "customer_code": self.customer_code,
            "email": self.email,
            "first_name": self.first_name,
            "last_name": self.last_name,
            "phone": self.phone,
            "metadata": self.metadata,
            "integration": INTEGRATION,
            "domain": "test",
            "risk_action": "default",
            "createdAt": whole_seconds(self.created_at),
            "updatedAt": whole_seconds(self.created_at),
        }


@dataclass
class StoredPaymentRequest:
    id: int
    request_code: str
    customer: StoredCustomer
    amount: int
    currency: str
    due_date: str | None
    description: str | None
    metadata: dict[str, Any] | None
    split_code: str | None
    created_at: datetime
    status: str = "pending"
    archived: bool = False
    paid_at: datetime | None = None
    notifications: list[dict[str, str]] = field(default_factory=list)
    transactions: list[dict[str, Any]] = field(default_factory=list)
    hidden_for: float = 0
    """How many listings will not show it yet."""

    @property
    def paid(self) -> bool:
        return self.status == "success"

    @property
    def offline_reference(self) -> str:
        return f"{INTEGRATION}{self.id}"

    @property
    def amount_paid(self) -> int:
        return sum(int(transaction["amount"]) for transaction in self.transactions)

    def mentions(self, reference: str) -> bool:
        values = (self.metadata or {}).values()
        return reference in values or reference in (self.description or "").split()

    def notify(self, now: datetime) -> None:
        self.notifications.append({"sent_at": milliseconds(now), "channel": "email"})

    def event(self) -> dict[str, Any]:
        """What Paystack's webhook says when it was paid."""
        paid_at = milliseconds(self.paid_at) if self.paid_at else None
        said = {**self.created(), "paid_at": paid_at, "pdf_url": None}
        return {"event": "paymentrequest.success", "data": said}

    def created(self) -> dict[str, Any]:
        return {
            **self._core(),
            "customer": self.customer.id,
            "created_at": milliseconds(self.created_at),
        }

    def listed(self) -> dict[str, Any]:
        return {
            **self._core(),
            "customer": self.customer.wording(),
            "created_at": whole_seconds(self.created_at),
            "paid_at": self.paid_at and whole_seconds(self.paid_at),
            "pdf_url": None,
        }

    def verified(self) -> dict[str, Any]:
        integration = {
            "key": "pk_test_sandbox",
            "name": "Sandbox",
            "logo": "https://sandbox.invalid/logo.png",
            "allowed_currencies": ["ZAR"],
        }
        pending = max(self.amount - self.amount_paid, 0)
        return {**self.listed(), "integration": integration, "pending_amount": pending}

    def fetched(self) -> dict[str, Any]:
        wording = self.listed()
        wording["createdAt"] = wording["updatedAt"] = wording.pop("created_at")
        return {
            **wording,
            "archived": self.archived,
            "amount_paid": self.amount_paid,
            "pending_amount": max(self.amount - self.amount_paid, 0),
            "transactions": self.transactions,
            "source": "api",
        }

    def _core(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "integration": INTEGRATION,
            "domain": "test",
            "amount": self.amount,
            "currency": self.currency,
            "due_date": self.due_date,
            "has_invoice": False,
            "invoice_number": None,
            "description": self.description,
            "line_items": [],
            "tax": [],
            "request_code": self.request_code,
            "status": self.status,
            "paid": self.paid,
            "metadata": self.metadata,
            "notifications": self.notifications,
            "offline_reference": self.offline_reference,
            "discount": None,
            "split_code": self.split_code,
        }


class Books:
    """Customers and payment requests; safe to use from any thread."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.customers: list[StoredCustomer] = []
        self.payment_requests: list[StoredPaymentRequest] = []
        self._customers_by_name: dict[str, StoredCustomer] = {}
        self._requests_by_name: dict[str, StoredPaymentRequest] = {}
        self._customer_ids = itertools.count(180_000_001)
        self._request_ids = itertools.count(24_150_967)

    def customer(self, named: object) -> StoredCustomer | None:
        """By id, code or e-mail address."""
        with self.lock:
            return self._customers_by_name.get(str(named).lower())

    def customer_with(self, email: str, fields: dict[str, Any]) -> StoredCustomer:
        """The one with this e-mail address, unchanged, or else a new one."""
        with self.lock:
            known = self.customer(email)
            if known is None:
                known = StoredCustomer(
                    id=next(self._customer_ids),
                    customer_code=_code("CUS_"),
                    email=email,
                    first_name=fields.get("first_name"),
                    last_name=fields.get("last_name"),
                    phone=fields.get("phone"),
                    metadata=stored_metadata(fields.get("metadata")),
                    created_at=_now(),
                )
                self.customers.append(known)
                for name in (str(known.id), known.customer_code.lower(), email.lower()):
                    self._customers_by_name[name] = known
        return known

    def add(self, customer: StoredCustomer, **fields: Any) -> StoredPaymentRequest:
        with self.lock:
            made = StoredPaymentRequest(
                id=next(self._request_ids),
                request_code=_code("PRQ_"),
                customer=customer,
                created_at=_now(),
                **fields,
            )
            self.payment_requests.append(made)
            customer.payment_requests.append(made)
            self._requests_by_name |= {str(made.id): made, made.request_code: made}
        return made

    def find(self, id_or_code: str) -> StoredPaymentRequest | None:
        with self.lock:
            return self._requests_by_name.get(id_or_code)

    def pay(self, code: str, amount: int | None = None) -> StoredPaymentRequest:
        """The payer pays: in full unless `amount` (cents) says less or more."""
        with self.lock:
            request = self.find(code)
            if request is None:
                raise KeyError(code)
            now, number = _now(), secrets.randbelow(10**15)
            request.transactions.append(
                {
                    "id": 4_000_000_000 + number % 10**9,
                    "reference": f"T{number:015d}",
                    "amount": request.amount if amount is None else amount,
                    "currency": request.currency,
                    "status": "success",
                    "paid_at": milliseconds(now),
                    "payment_request": request.id,
                }
            )
            if request.amount_paid >= request.amount:
                request.status, request.paid_at = "success", now
        return request


def stored_metadata(value: Any) -> dict[str, Any] | None:
    """As Paystack keeps it: an object's values become strings, a JSON string keeps its types."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
        return value if isinstance(value, dict) else None
    if not isinstance(value, dict):
        return None
    return {key: item if isinstance(item, str) else json.dumps(item) for key, item in value.items()}


def milliseconds(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1000:03d}Z"


def whole_seconds(instant: datetime) -> str:
    return milliseconds(instant.replace(microsecond=0))


def _now() -> datetime:
    return datetime.now(tz=timezone.utc)


def _code(prefix: str) -> str:
    letters = string.ascii_lowercase + string.digits
    return prefix + "".join(secrets.choice(letters) for _ in range(15))
