"""What each of Paystack's endpoints does with a call: checks, the change in the books, the words.

Unknown fields are dropped without a word, as Paystack does: read back what you rely on.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from leaseup_dagster.sandbox.faults import Reply
from leaseup_dagster.sandbox.paystack_books import (
    Books,
    StoredPaymentRequest,
    milliseconds,
    stored_metadata,
)
from leaseup_dagster.sandbox.paystack_gate import Call, Gate, Habits, Refusal

_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(T[\d:.]+(Z|[+-]\d{2}:?\d{2})?)?")


class Endpoints:
    def __init__(self, books: Books, habits: Habits) -> None:
        self._books = books
        self._habits = habits
        self._gate = Gate(habits)
        self._handlers: dict[str, Callable[[Call], Reply]] = {
            "POST /customer": self._create_customer,
            "GET /customer/:code": self._fetch_customer,
            "POST /paymentrequest": self._create,
            "GET /paymentrequest": self._list,
            "GET /paymentrequest/:code": self._fetch,
            "GET /paymentrequest/verify/:code": self._verify,
            "POST /paymentrequest/notify/:code": self._notify,
            "POST /paymentrequest/archive/:code": self._archive,
        }

    def route(self, method: str, path: str) -> tuple[str, str]:
        """The endpoint and the code in the path; a trailing slash makes no difference."""
        parts = path.strip("/").split("/")
        for endpoint in self._handlers:
            verb, template = endpoint.split(" ")
            names = template.strip("/").split("/")
            if (verb, len(names)) != (method, len(parts)):
                continue
            if all(name in (":code", part) for name, part in zip(names, parts, strict=True)):
                return endpoint, parts[-1] if names[-1] == ":code" else ""
        return "", ""

    def answer(self, call: Call) -> Reply:
        try:
            self._gate.check(call)
            if not call.endpoint:
                raise Refusal(404, f"Cannot {call.method} {call.path}", None)
            with self._books.lock:
                reply = self._handlers[call.endpoint](call)
            return replace(reply, headers={**reply.headers, **self._gate.headers()})
        except Refusal as refusal:
            return refusal.reply

    def _create_customer(self, call: Call) -> Reply:
        email = call.body.get("email")
        if not email:
            raise Refusal(400, "Email is required", "missing_params")
        if not isinstance(email, str) or "@" not in email.strip("@"):
            raise Refusal(400, "Invalid Email Address Passed", "invalid_email_address")
        customer = self._books.customer_with(email, call.body)
        data = {**customer.wording(), "transactions": [], "subscriptions": [], "authorizations": []}
        return _done("Customer created", data)

    def _fetch_customer(self, call: Call) -> Reply:
        customer = self._books.customer(call.code)
        if customer is None:
            raise Refusal(404, "Customer code/email specified is invalid", "invalid_params")
        data = {**customer.wording(), "created_at": milliseconds(customer.created_at)}
        return _done("Customer retrieved", data)

    def _create(self, call: Call) -> Reply:
        body = call.body
        customer = self._books.customer(body.get("customer"))
        if customer is None:
            raise Refusal(400, "Customer not found", "invalid_params")
        currency = body.get("currency") or "NGN"
        if currency not in self._habits.currencies:
            raise Refusal(400, "Currency not supported by merchant", "invalid_params")
        due_date = body.get("due_date") or None
        if due_date is not None and not _ISO_DATE.fullmatch(str(due_date)):
            raise Refusal(400, '"due_date" must be a valid ISO 8601 date', "invalid_params")
        metadata = stored_metadata(body.get("metadata")) if self._habits.stores_metadata else None
        request = self._books.add(
            customer,
            amount=_amount(body.get("amount")),
            currency=currency,
            due_date=_as_stored(str(due_date)) if due_date else None,
            description=body.get("description"),
            metadata=metadata,
            split_code=body.get("split_code") or None,
            hidden_for=self._habits.list_delay,
        )
        answer = request.created()
        if body.get("send_notification", True):
            request.notify(request.created_at)
        return _done("Payment request created", answer)

    def _list(self, call: Call) -> Reply:
        size = min(int(call.query.get("perPage", 50)), self._habits.largest_page)
        page = max(int(call.query.get("page", 1)), 1)
        found = [request for request in self._matching(call.query) if not _hidden(request)]
        found.sort(key=lambda request: request.id, reverse=True)
        start = (page - 1) * size
        meta = {
            "total": len(found),
            "skipped": start,
            # A string if it was asked for, an integer if not: both have been seen.
            "perPage": str(size) if "perPage" in call.query else size,
            "page": page,
            "pageCount": -(-len(found) // size),
        }
        data = [request.listed() for request in found[start : start + size]]
        return _done("Payment requests retrieved", data, meta=meta)

    def _matching(self, query: Mapping[str, str]) -> list[StoredPaymentRequest]:
        """By the filters Paystack has. `customer` is the numeric id: a code matches nothing."""
        requests = self._books.payment_requests
        if wanted := query.get("customer"):
            customer = self._books.customer(wanted) if wanted.isdigit() else None
            requests = customer.payment_requests if customer else []
        archived_too = query.get("include_archive", "").lower() == "true"
        since, until = _instant(query.get("from")), _instant(query.get("to"))
        status, currency = query.get("status"), query.get("currency")
        return [
            request
            for request in requests
            if (archived_too or not request.archived)
            and (since is None or request.created_at >= since)
            and (until is None or request.created_at <= until)
            and status in (None, "", request.status)
            and currency in (None, "", request.currency)
        ]

    def _found(self, call: Call) -> StoredPaymentRequest:
        request = self._books.find(call.code)
        if request is None:
            raise Refusal(400, "Payment request not found", "not_found")
        return request

    def _fetch(self, call: Call) -> Reply:
        return _done("Payment request retrieved", self._found(call).fetched())

    def _verify(self, call: Call) -> Reply:
        request = self._books.find(call.code)
        if request is None or request.archived:
            raise Refusal(404, "Payment request not found", "unknown")
        return _done("Payment request retrieved", request.verified())

    def _notify(self, call: Call) -> Reply:
        self._found(call).notify(datetime.now(tz=timezone.utc))
        return Reply.of(200, {"status": True, "message": "Notification sent"})

    def _archive(self, call: Call) -> Reply:
        self._found(call).archived = True
        return Reply.of(200, {"status": True, "message": "Payment request has been archived"})


def _hidden(request: StoredPaymentRequest) -> bool:
    """Whether this listing comes too early to show it; each listing brings it nearer."""
    hidden = request.hidden_for > 0
    request.hidden_for -= hidden
    return hidden


def _amount(value: Any) -> int:
    """Cents. `100.0` and "100" pass for 100, as they do at Paystack."""
    try:
        number = float(value)
        if isinstance(value, bool) or (isinstance(value, str) and not value.lstrip("-").isdigit()):
            raise ValueError(value)
    except (TypeError, ValueError):
        raise Refusal(400, '"amount" must be an integer', "invalid_params") from None
    if number != int(number):
        raise Refusal(400, '"amount" must be an integer', "invalid_params")
    if number <= 0:
        raise Refusal(400, "Invalid Amount Sent", "invalid_params")
    return int(number)


def _as_stored(due_date: str) -> str:
    """A bare date is treated as midnight UTC."""
    return milliseconds(_instant(due_date) or datetime.now(tz=timezone.utc))


def _instant(text: str | None) -> datetime | None:
    if not text:
        return None
    instant = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return instant if instant.tzinfo else instant.replace(tzinfo=timezone.utc)


def _done(message: str, data: Any, **more: Any) -> Reply:
    return Reply.of(200, {"status": True, "message": message, "data": data, **more})
