"""What can go wrong between a request and its answer, as a small vocabulary.

    paystack.faults.on_create(Fault.drop_after_accepting())
    paystack.faults.on_create(Fault.refuse(400, "Customer not found"), matching="LU-7", times=None)
    slow = paystack.faults.on_list(Fault.hang_after_accepting())
    slow.arrived.wait(10)
    slow.release()

"Accepting" is the moment from which the provider has done what it was asked.
"""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Reply:
    """An HTTP answer about to be sent."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, status: int, content: Any, headers: Mapping[str, str] | None = None) -> "Reply":
        body = json.dumps(content).encode()
        return cls(status, body, {"content-type": "application/json", **(headers or {})})

    @classmethod
    def html(cls, status: int) -> "Reply":
        body = b"<html><body><h1>Something is wrong</h1></body></html>"
        return cls(status, body, {"content-type": "text/html"})

    @property
    def content(self) -> Any:
        return json.loads(self.body)


Ending = Reply | Literal["cut", "reset", "cut midway"]
"""What the caller gets: an answer, or a connection that closes before or within the answer."""


def _as_it_is(reply: Reply) -> Ending:
    return reply


@dataclass
class Fault:
    """What happens to one request, or to several.

    `accepts` is whether the provider does what it was asked; `hangs` is when it falls silent
    until `release` or `abandon`; `ending` converts its answer into what the caller gets.
    """

    ending: Callable[[Reply], Ending] = _as_it_is
    accepts: bool = True
    hangs: Literal["never", "before", "after"] = "never"
    arrived: threading.Event = field(default_factory=threading.Event)
    """Set once a request has come this far: at the silence, or when it was dealt with."""
    released: threading.Event = field(default_factory=threading.Event)
    abandoned: bool = False

    def release(self) -> None:
        """End the silence: what is left to do is done, also if nobody waits for the answer."""
        self.released.set()

    def abandon(self) -> None:
        """End the silence by closing the connection; what was not accepted never will be."""
        self.abandoned = True
        self.released.set()

    @classmethod
    def drop_before_accepting(cls, *, reset: bool = False) -> "Fault":
        return cls(lambda _: "reset" if reset else "cut", accepts=False)

    @classmethod
    def drop_after_accepting(cls, *, reset: bool = False) -> "Fault":
        return cls(lambda _: "reset" if reset else "cut")

    @classmethod
    def cut_within_the_answer(cls) -> "Fault":
        return cls(lambda _: "cut midway")

    @classmethod
    def hang_before_accepting(cls) -> "Fault":
        return cls(hangs="before")

    @classmethod
    def hang_after_accepting(cls) -> "Fault":
        return cls(hangs="after")

    @classmethod
    def answer(cls, reply: Reply, *, accepted: bool = False) -> "Fault":
        return cls(lambda _: reply, accepts=accepted)

    @classmethod
    def status(cls, status: int, *, accepted: bool = False, html: bool = False) -> "Fault":
        """An error status, as the provider or as the network in front of it words one."""
        said = {"status": False, "message": "An error occurred", "type": "api_error"}
        return cls.answer(Reply.html(status) if html else Reply.of(status, said), accepted=accepted)

    @classmethod
    def refuse(cls, status: int, message: str, code: str | None = None) -> "Fault":
        """A refusal for a reason: 4xx."""
        said = {"status": False, "message": message, "type": "validation_error", "code": code}
        return cls.answer(Reply.of(status, said))

    @classmethod
    def rate_limit(cls, **headers: str) -> "Fault":
        """429, with headers such as `x_ratelimit_reset="30"`; none unless given."""
        said = {
            "status": False,
            "message": "Rate limit exceeded!",
            "type": "api_error",
            "code": "rate_limited",
            "meta": {"nextStep": "Wait until the current window ends"},
        }
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls.answer(Reply.of(429, said, named))

    @classmethod
    def redirect(cls, location: str) -> "Fault":
        return cls.answer(Reply(302, b"", {"location": location}))

    @classmethod
    def success_in_html(cls) -> "Fault":
        return cls.answer(Reply.html(200), accepted=True)

    @classmethod
    def truncated(cls) -> "Fault":
        """Accepted; the JSON stops in the middle."""
        return cls(lambda reply: Reply(reply.status, reply.body[: len(reply.body) // 2]))

    @classmethod
    def status_false(cls) -> "Fault":
        """Accepted, yet the envelope of the 200 says false."""
        return cls.envelope(status=False, message="Unclear")

    @classmethod
    def envelope(cls, **fields: Any) -> "Fault":
        """Accepted; the answer's envelope has other values in these fields."""
        return cls(_edited(lambda envelope: envelope | fields))

    @classmethod
    def without(cls, name: str) -> "Fault":
        """Accepted; a field is missing from the answer's data."""
        return cls(_edited_data(lambda data: {k: v for k, v in data.items() if k != name}))

    @classmethod
    def with_fields(cls, **fields: Any) -> "Fault":
        """Accepted; the answer's data has these fields too, or other values in known ones."""
        return cls(_edited_data(lambda data: data | fields))


class Faults:
    """The faults in store. They are used in the order in which they were given."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stored: list[_Stored] = []
        self._given: list[Fault] = []

    def on(
        self, endpoint: str, fault: Fault, *, times: int | None = 1, matching: str = ""
    ) -> Fault:
        """`fault` happens to the next `times` requests (None: to every one) to `endpoint`, such
        as "GET /paymentrequest", whose path, query or body contains `matching`."""
        with self._lock:
            self._stored.append(_Stored(endpoint, fault, times, matching))
            self._given.append(fault)
        return fault

    def on_create(self, fault: Fault, *, times: int | None = 1, matching: str = "") -> Fault:
        return self.on("POST /paymentrequest", fault, times=times, matching=matching)

    def on_list(self, fault: Fault, *, times: int | None = 1, matching: str = "") -> Fault:
        return self.on("GET /paymentrequest", fault, times=times, matching=matching)

    def take(self, endpoint: str, text: str) -> Fault | None:
        """The fault for a request, used up once; `text` is its path, query and body."""
        with self._lock:
            for stored in self._stored:
                if stored.endpoint == endpoint and stored.matching in text:
                    return self._use(stored)
        return None

    def clear(self) -> None:
        """The world is healthy again; who still hangs is cut off."""
        with self._lock:
            self._stored.clear()
            given, self._given = self._given, []
        for fault in given:
            fault.abandon()

    def _use(self, stored: "_Stored") -> Fault:
        if stored.times is not None:
            stored.times -= 1
            if stored.times == 0:
                self._stored.remove(stored)
        return stored.fault


@dataclass(eq=False)
class _Stored:
    endpoint: str
    fault: Fault
    times: int | None
    matching: str


def _edited(edit: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Reply], Ending]:
    """Only a success is distorted; a refusal comes as it is."""
    return lambda reply: Reply.of(200, edit(reply.content)) if reply.status == 200 else reply


def _edited_data(edit: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Reply], Ending]:
    return _edited(lambda envelope: envelope | {"data": edit(envelope["data"])})
