"""What every call to Paystack passes first, whatever it asks for: the key and the rate limit."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from leaseup_dagster.sandbox.faults import Reply


@dataclass
class Habits:
    """How this Paystack behaves where the real one varies, or where nobody knows."""

    keys: set[str] = field(default_factory=lambda: {"sk_test_sandbox"})
    currencies: set[str] = field(default_factory=lambda: {"ZAR", "NGN"})
    stores_metadata: bool = True
    list_delay: float = 0
    """How many listings do not show a new payment request yet; infinite: until `reveal`."""
    largest_page: int = 100
    rate_limit: int | None = None
    """Calls per window and endpoint; None: no limit."""
    rate_window_seconds: float = 60
    reports_limit: bool = False
    """Every answer carries the limit; else a 429 does."""
    latency_seconds: float = 0


@dataclass(frozen=True)
class Call:
    """One request, read. `endpoint` is its method and path template, "" where there is none."""

    method: str
    path: str
    endpoint: str
    code: str
    query: Mapping[str, str]
    body: dict[str, Any]
    authorization: str


class Refusal(Exception):
    """Ends a call with an error answer."""

    def __init__(
        self, status: int, message: str, code: str | None, headers: dict[str, str] | None = None
    ) -> None:
        kind = "api_error" if status in (404, 429) else "validation_error"
        said = {"status": False, "message": message, "type": kind, "code": code}
        self.reply = Reply.of(status, {**said, "meta": {"nextStep": "See the docs"}}, headers)


class Gate:
    """Keys are checked before the limit, which is counted in fixed windows for each endpoint."""

    def __init__(self, habits: Habits) -> None:
        self._habits = habits
        self._windows: dict[str, tuple[float, int]] = {}

    def check(self, call: Call) -> None:
        """Refusal if the call may not pass."""
        self._check_key(call)
        self._check_rate(call)

    def headers(self) -> dict[str, str]:
        """The headers of an answer that let it pass."""
        if self._habits.rate_limit is None or not self._habits.reports_limit:
            return {}
        return {"x-ratelimit-limit": str(self._habits.rate_limit)}

    def _check_key(self, call: Call) -> None:
        if not call.authorization:
            raise Refusal(401, "No Authorization Header was found", None)
        if call.authorization.removeprefix("Bearer ") not in self._habits.keys:
            raise Refusal(401, "Invalid key", "invalid_Key")

    def _check_rate(self, call: Call) -> None:
        limit, length = self._habits.rate_limit, self._habits.rate_window_seconds
        if limit is None:
            return
        now = time.monotonic()
        start, count = self._windows.get(call.endpoint, (now, 0))
        if now >= start + length:
            start, count = now, 0
        self._windows[call.endpoint] = (start, count + 1)
        if count >= limit:
            headers = {
                "x-ratelimit-limit": str(limit),
                "x-ratelimit-remaining": "0",
                "x-ratelimit-reset": f"{max(1, round(start + length - now))}",
            }
            raise Refusal(429, "Rate limit exceeded!", "rate_limited", headers)
