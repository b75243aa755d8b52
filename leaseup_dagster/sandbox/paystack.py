"""A stateful stand-in for Paystack over real HTTP, with faults to order.

    with PaystackStandIn() as paystack:
        paystack.faults.on_create(Fault.drop_after_accepting())
        ...
        paystack.live_requests_for(reference)

As a process of its own: `python -m leaseup_dagster.sandbox.paystack --port 8811`. There, and
everywhere, `GET /_sandbox/state` tells what exists, `POST /_sandbox/pay/{code}` pays, and
`GET /pay` is a page on which a person can. Who pays in full is announced to `webhook_url`.
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from leaseup_dagster.sandbox import pay_page
from leaseup_dagster.sandbox.answers import answer, begin_an_answer, silence
from leaseup_dagster.sandbox.faults import Ending, Fault, Faults, Reply
from leaseup_dagster.sandbox.loopback import Loopback, until_stopped
from leaseup_dagster.sandbox.paystack_books import Books, StoredCustomer, StoredPaymentRequest
from leaseup_dagster.sandbox.paystack_endpoints import Endpoints
from leaseup_dagster.sandbox.paystack_gate import Call, Habits


@dataclass
class Seen:
    """A request that arrived, at an instant of `time.monotonic()`. `status` is None while, and if,
    it has no answer."""

    method: str
    path: str
    endpoint: str
    query: dict[str, str]
    body: dict[str, Any]
    status: int | None = None
    arrived_at: float = field(default_factory=time.monotonic)


class PaystackStandIn(Loopback):
    """One Paystack integration in test mode. It keeps its books when it is stopped and started.

    `habits` and `faults` may be changed at any time, from any thread.
    """

    def __init__(self, habits: Habits | None = None, *, port: int = 0) -> None:
        super().__init__(self._serve, port)
        self.habits = habits or Habits()
        self.faults = Faults()
        self.requests: list[Seen] = []
        self.webhook_url = ""
        """Who is notified that a request was paid; empty: nobody hears of it."""
        self._books = Books()
        self._endpoints = Endpoints(self._books, self.habits)

    @property
    def customers(self) -> list[StoredCustomer]:
        return list(self._books.customers)

    @property
    def payment_requests(self) -> list[StoredPaymentRequest]:
        """All of them, archived ones included, oldest first."""
        return list(self._books.payment_requests)

    def live_requests_for(self, reference: str) -> list[StoredPaymentRequest]:
        """Those that can still be paid for a reference: more than one is a double bill."""
        return [r for r in self.payment_requests if not r.archived and r.mentions(reference)]

    def requests_to(self, endpoint: str) -> list[Seen]:
        """What arrived at an endpoint such as "POST /paymentrequest"."""
        return [seen for seen in list(self.requests) if seen.endpoint == endpoint]

    def add_customer(self, email: str, **fields: Any) -> StoredCustomer:
        """A customer that was made some other way."""
        return self._books.customer_with(email, fields)

    def make_request(
        self, customer: StoredCustomer, amount: int, **fields: Any
    ) -> StoredPaymentRequest:
        """A payment request of `amount` cents that was made some other way."""
        defaults = {"currency": "ZAR", "due_date": None, "metadata": None, "split_code": None}
        return self._books.add(customer, amount=amount, **(defaults | fields))

    def pay(
        self, code: str, amount: int | None = None, *, heard: bool = True
    ) -> StoredPaymentRequest:
        """The payer pays, in full unless `amount` (cents) is given; not `heard`: the webhook's
        message is lost."""
        paid = self._books.pay(code, amount)
        if self.webhook_url and paid.paid and heard:
            self.notify(paid)
        return paid

    def notify(self, paid: StoredPaymentRequest) -> None:
        """Send the message of a payment to `webhook_url`; nobody there: it is lost."""
        with suppress(httpx.HTTPError), httpx.Client(trust_env=False, timeout=5) as http:
            http.post(self.webhook_url, json=paid.event())

    def archive(self, code: str) -> None:
        """Somebody archives it on the dashboard."""
        request = self._books.find(code)
        if request is None:
            raise KeyError(code)
        request.archived = True

    def reveal(self) -> None:
        """Every accepted payment request is in the list from now on."""
        for request in self.payment_requests:
            request.hidden_for = 0

    def stop(self) -> None:
        self.faults.clear()
        super().stop()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            raw = await request.body()
        except ClientDisconnect:
            return
        if request.url.path.startswith(("/_sandbox/", "/pay/")) or request.url.path == "/pay":
            # In a thread: whoever is notified of a payment may ask us something.
            reply = await run_in_threadpool(self._operate, request.method, request.url.path)
            await answer(reply, scope, receive, send)
            return
        call = self._read(request, raw)
        seen = Seen(call.method, call.path, call.endpoint, dict(call.query), dict(call.body))
        self.requests.append(seen)
        ending = await self._deal_with(call, f"{call.path}?{urlencode(call.query)} {raw.decode()}")
        if isinstance(ending, Reply):
            seen.status = ending.status
            await answer(ending, scope, receive, send)
            return
        if ending == "cut midway":
            await begin_an_answer(send, 200, b'{"status": true, ')
        self.cut(scope, reset=ending == "reset")
        await receive()

    async def _deal_with(self, call: Call, text: str) -> Ending:
        fault = self.faults.take(call.endpoint, text) or Fault()
        await asyncio.sleep(self.habits.latency_seconds)
        if fault.hangs == "before" and await silence(fault):
            return "cut"
        reply = self._endpoints.answer(call) if fault.accepts else Reply.of(500, {})
        if fault.hangs == "after" and await silence(fault):
            return "cut"
        fault.arrived.set()
        return fault.ending(reply)

    def _read(self, request: Request, raw: bytes) -> Call:
        endpoint, code = self._endpoints.route(request.method, request.url.path)
        try:
            body = json.loads(raw or b"{}")
        except ValueError:
            body = {}
        return Call(
            method=request.method,
            path=request.url.path,
            endpoint=endpoint,
            code=code,
            query=dict(request.query_params),
            body=body if isinstance(body, dict) else {},
            authorization=request.headers.get("authorization", ""),
        )

    def _operate(self, method: str, path: str) -> Reply:
        """What the sandbox itself offers: no key needed, not a part of Paystack."""
        if (method, path) == ("GET", "/_sandbox/state"):
            return Reply.of(200, self.state())
        if not path.startswith("/_sandbox/"):
            return pay_page.answer(self, method, path.removeprefix("/pay").strip("/"))
        code = path.removeprefix("/_sandbox/pay/")
        if method == "POST" and self._books.find(code):
            return Reply.of(200, {"status": True, "data": self.pay(code).fetched()})
        return Reply.of(404, {"status": False, "message": "There is no such thing here"})

    def state(self) -> dict[str, Any]:
        """Everything that exists, as plain JSON."""
        with self._books.lock:
            return {
                "customers": [customer.wording() for customer in self.customers],
                "payment_requests": [request.fetched() for request in self.payment_requests],
                "requests": Counter(seen.endpoint for seen in self.requests),
            }


def main() -> None:
    parser = argparse.ArgumentParser(description="A stand-in for Paystack on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=8811)
    parser.add_argument("--key", default="sk_test_sandbox", help="the secret key it accepts")
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--rate-limit", type=int, help="calls per minute and endpoint")
    given = parser.parse_args()
    habits = Habits(
        keys={given.key},
        latency_seconds=given.latency_ms / 1000,
        rate_limit=given.rate_limit,
    )
    with PaystackStandIn(habits, port=given.port) as paystack:
        print(f"Paystack's stand-in is on {paystack.url}", flush=True)
        until_stopped()


if __name__ == "__main__":
    main()
