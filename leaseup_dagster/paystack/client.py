"""Paystack's endpoints, one method each, as far as they are used.

One call is one HTTP exchange: nothing here tries again, because a retry on two levels
multiplies. Any method raises the errors drawn in `errors`.
"""

import logging
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timezone
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, NewType
from urllib.parse import quote

from leaseup_dagster.paystack import answers
from leaseup_dagster.paystack.answers import Answer
from leaseup_dagster.paystack.errors import KeyRejected, NotProcessed, NotSent, NoWayOut
from leaseup_dagster.paystack.models import (
    Customer,
    NewCustomer,
    NewPaymentRequest,
    PaymentRequest,
    normal_email,
)
from leaseup_dagster.paystack.network import what_is_wrong
from leaseup_dagster.paystack.quota import Quota

if TYPE_CHECKING:
    import httpx

CREATE = "POST /paymentrequest"
LIST = "GET /paymentrequest"
FETCH = "GET /paymentrequest/:code"
VERIFY = "GET /paymentrequest/verify/:code"
NOTIFY = "POST /paymentrequest/notify/:code"
ARCHIVE = "POST /paymentrequest/archive/:code"
CREATE_CUSTOMER = "POST /customer"
FETCH_CUSTOMER = "GET /customer/:code"

_PAGE_SIZE = 100
_SPARE_SECONDS = 0.6
"""How late a slot may still be used: less than what the quota leaves free of a minute, 0.7 s."""

Slot = NewType("Slot", float)
"""The `time.monotonic()` instant until which a slot of the quota may still be used."""

_CONNECT_SECONDS = 5.0

# httpx logs each URL at INFO, and the URL of a customer can hold an e-mail address.
logging.getLogger("httpx").setLevel(logging.WARNING)


class PaystackClient:
    """Paystack for one integration; one client serves many threads.

    `timeout_seconds` is the longest silence while waiting for an answer. `stop`, once set, keeps
    every further request from leaving; what is in flight comes home.
    """

    def __init__(
        self,
        *,
        secret_key: str,
        base_url: str,
        quota: Quota,
        timeout_seconds: float,
        connections: int,
        stop: threading.Event | None = None,
    ) -> None:
        self.stop = stop or threading.Event()
        self._quota = quota
        self._spare_slots: deque[Slot] = deque()
        self._void_until = -math.inf
        self._rejected: str | None = None
        self._open = partial(_connections, secret_key, base_url, timeout_seconds, connections)
        self._opening = threading.Lock()
        self._opened: httpx.Client | None = None

    def close(self) -> None:
        """Close the connections. Safe to call twice."""
        if self._opened is not None:
            self._opened.close()

    def __enter__(self) -> "PaystackClient":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def wait_for_slot_to_create(self) -> Slot:
        """Wait for the slot of one `create_payment_request`.

        Apart from it, so that a claim can be committed after the wait and right before the request.
        """
        spare = self._spare_slot()
        if spare is not None:
            self._check_may_send(math.inf)
            return spare
        self._wait_for_slot(CREATE)
        return Slot(time.monotonic() + _SPARE_SECONDS)

    def give_back_slot_to_create(self, slot: Slot) -> None:
        """Nothing was sent: whoever is next takes this slot and need not wait."""
        self._spare_slots.append(slot)

    def give_up_slots_to_create(self) -> None:
        """Nobody here is next: the slots that were given back are for other runs."""
        while self._spare_slot() is not None:
            self._quota.give_back(CREATE)

    def may_still_use(self, slot: Slot) -> bool:
        """Neither too late for it, nor has Paystack asked us to wait since."""
        return slot > max(time.monotonic(), self._void_until)

    def create_payment_request(
        self, request: NewPaymentRequest, *, send_before: float
    ) -> PaymentRequest:
        """Make one payment request, at once: its slot was waited for before.

        NotSent if the `time.monotonic()` instant `send_before` has passed when it would leave.
        """
        answer = self._send(CREATE, json=request.body(), send_before=send_before)
        return answer.as_(PaymentRequest)

    def payment_requests_of(self, customer_id: int) -> Iterator[PaymentRequest]:
        """Every payment request of the customer, archived ones included.

        Paystack filters by the numeric id only; a customer's code would match nothing.
        """
        return self._pages({"customer": customer_id})

    def payment_requests_between(
        self, from_: datetime, to: datetime | None = None
    ) -> Iterator[PaymentRequest]:
        """Every payment request made between two aware instants, or since one; archived ones
        included."""
        return self._pages({"from": _iso(from_)} | ({"to": _iso(to)} if to else {}))

    def fetch_payment_request(self, code: str) -> PaymentRequest:
        """One payment request, archived or not, with its transactions."""
        return self._call(FETCH, code).as_(PaymentRequest)

    def verify_payment_request(self, code: str) -> PaymentRequest:
        """How one payment request stands. NotFound if it is archived."""
        return self._call(VERIFY, code).as_(PaymentRequest)

    def notify_customer(self, code: str) -> None:
        """E-mail the payment request to its customer; each call sends one more."""
        self._call(NOTIFY, code)

    def archive_payment_request(self, code: str) -> None:
        """Hide a payment request from lists and from verify. Paystack has no deletion."""
        self._call(ARCHIVE, code)

    def create_customer(self, new: NewCustomer) -> Customer:
        """Make a customer, or get the existing one with this e-mail address. Safe to repeat."""
        return self._call(CREATE_CUSTOMER, json=new.body()).as_(Customer)

    def fetch_customer(self, code_or_email: str) -> Customer:
        """The customer with this code or e-mail address; NotFound if there is none."""
        named = normal_email(code_or_email) if "@" in code_or_email else code_or_email
        return self._call(FETCH_CUSTOMER, named).as_(Customer)

    def _pages(self, filters: dict[str, Any]) -> Iterator[PaymentRequest]:
        # Pages are offsets: a request made meanwhile pushes one that was seen onto the next page.
        seen: set[int] = set()
        query = {**filters, "include_archive": "true", "perPage": _PAGE_SIZE}
        page, last = 0, False
        while not last:
            page += 1
            answer = self._call(LIST, params={**query, "page": page})
            found = answer.as_list_of(PaymentRequest)
            yield from (request for request in found if request.id not in seen)
            seen.update(request.id for request in found)
            last = not found or (answer.page_count is not None and page >= answer.page_count)

    def _call(self, endpoint: str, code: str = "", **content: Any) -> Answer:
        self._wait_for_slot(endpoint)
        return self._send(endpoint, code, **content)

    def _wait_for_slot(self, endpoint: str) -> None:
        self._check_may_send(math.inf)
        self.stop.wait(self._quota.reserve(endpoint))
        self._check_may_send(math.inf)

    def _spare_slot(self) -> Slot | None:
        """One that was given back and is still good."""
        while self._spare_slots:
            with suppress(IndexError):  # another thread was faster
                slot = self._spare_slots.popleft()
                if self.may_still_use(slot):
                    return slot
        return None

    def _send(
        self, endpoint: str, code: str = "", *, send_before: float = math.inf, **content: Any
    ) -> Answer:
        """The one place where a request leaves. `endpoint` is also its name in the quota."""
        method, path = endpoint.replace(":code", quote(code, safe="")).split(" ")
        last_check = {"trace": self._last_check(send_before)}
        self._check_may_send(send_before)
        import httpx  # noqa: PLC0415 - as in `_connections`

        http = self._http()
        try:
            response = http.request(method, path, extensions=last_check, **content)
        except httpx.HTTPError as error:
            raise answers.unanswered(error) from None
        limit = answers.reported_limit(response.headers)
        if limit is not None:
            self._quota.learn(endpoint, limit)
        try:
            return answers.read(response, now=time.time())
        except KeyRejected as rejected:
            self._rejected = rejected.message
            raise
        except NotProcessed as limited:
            if endpoint == CREATE:
                self._void_until = time.monotonic() + _SPARE_SECONDS
            self._quota.pause(endpoint, limited.retry_after_seconds or 0)
            raise

    def _http(self) -> "httpx.Client":
        """Opened by the first request: most runs on an ordinary day send none."""
        with self._opening:
            if self._opened is None:
                try:
                    self._opened = self._open()
                except Exception as error:  # it reads proxies and certificates of the environment
                    raise NoWayOut(what_is_wrong(error, os.environ)) from None
            return self._opened

    def _check_may_send(self, send_before: float) -> None:
        if self._rejected is not None:
            raise KeyRejected(self._rejected, status=401)
        if self.stop.is_set():
            raise NotSent("not sent, the run was asked to stop or is out of time")
        if time.monotonic() >= send_before:
            raise NotSent("not sent, its claim expired while it waited")

    def _last_check(self, send_before: float) -> Callable[[str, dict[str, Any]], None]:
        """Checks again once the connection stands, right before the first byte leaves.

        Finding the host has no time limit, and a connection may have to be waited for.
        """

        def check(event: str, _: dict[str, Any]) -> None:
            if event.endswith("send_request_headers.started"):
                self._check_may_send(send_before)

        return check


def _connections(
    secret_key: str, base_url: str, timeout_seconds: float, connections: int
) -> "httpx.Client":
    import httpx  # noqa: PLC0415 - with its certificates it takes longer than a run without it

    return httpx.Client(
        base_url=base_url,
        headers={"Authorization": f"Bearer {secret_key}", "User-Agent": "leaseup-dagster"},
        timeout=httpx.Timeout(timeout_seconds, connect=min(_CONNECT_SECONDS, timeout_seconds)),
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
    )


def _iso(instant: datetime) -> str:
    return instant.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
