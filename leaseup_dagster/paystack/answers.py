"""What an HTTP answer means: its data, or the error that says what is known. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from leaseup_dagster.paystack.errors import (
    KeyRejected,
    NotFound,
    NotProcessed,
    OutcomeUnknown,
    PaystackError,
    Refused,
)

if TYPE_CHECKING:  # for whoever has an answer to read, it is loaded
    import httpx

Model = TypeVar("Model", bound=BaseModel)

_PAUSE_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 120.0
_LOOKS_LIKE_EPOCH = 1_000_000
_LARGEST_LIMIT = 100_000
_NOT_FOUND_CODES = {"not_found", "transaction_not_found"}
# What httpx raises before a byte of the request has left; all else may come after.
_NEVER_LEFT = {
    "ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol",
}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """The part of a successful answer that matters. `page_count` is None if it was not given."""

    data: Any
    page_count: int | None

    def as_(self, model: type[Model]) -> Model:
        """The data as one `model`; OutcomeUnknown names the fields that are missing or garbled."""
        return _as_model(model, self.data)

    def as_list_of(self, model: type[Model]) -> list[Model]:
        """The data as a list of `model`. One unreadable item fails the list: it might be the one
        that is searched for."""
        if not isinstance(self.data, list):
            raise OutcomeUnknown("the answer holds no list", status=200)
        return [_as_model(model, item) for item in self.data]


def read(response: "httpx.Response", *, now: float) -> Answer:
    """What the answer holds, or raise what is known. `now` is in epoch seconds."""
    envelope = _json_object(response)
    if not response.is_success:
        raise _failure(response, envelope or {}, now)
    if envelope is None:
        raise OutcomeUnknown("the answer is not a JSON object", status=response.status_code)
    # A boolean, as documented: "success" was once expected here, and every creation "failed".
    if envelope.get("status") is not True:
        raise OutcomeUnknown(
            _message(response, envelope), status=response.status_code, code=_code(envelope)
        )
    meta = envelope.get("meta")
    return Answer(envelope.get("data"), _page_count(meta if isinstance(meta, dict) else {}))


def unanswered(error: "httpx.HTTPError") -> PaystackError:
    """The error for an exchange that ended without an answer.

    Only the class of `error` is shown: its text, and the request it holds, carry the URL.
    """
    name = type(error).__name__
    if name in _NEVER_LEFT:
        return NotProcessed(f"could not connect ({name})")
    return OutcomeUnknown(f"no answer came ({name})")


def pause_seconds(headers: Mapping[str, str], *, now: float) -> float:
    """How long to leave an endpoint alone after a 429: 1 to 120 seconds, 60 if nothing is said."""
    for name in ("x-ratelimit-reset", "retry-after"):
        seconds = _number(headers.get(name))
        if seconds is None:
            continue
        if seconds > _LOOKS_LIKE_EPOCH:
            seconds -= now
        return min(max(seconds, 1.0), _LONGEST_PAUSE_SECONDS)
    return _PAUSE_SECONDS


def reported_limit(headers: Mapping[str, str]) -> int | None:
    """Requests a minute that Paystack says the endpoint takes; None where it says nothing that
    could be one. Documented for a 429; whether others carry it is not known."""
    limit = _number(headers.get("x-ratelimit-limit"))
    return int(limit) if limit and 1 <= limit <= _LARGEST_LIMIT else None


def _failure(response: "httpx.Response", envelope: dict[str, Any], now: float) -> PaystackError:
    status, code = response.status_code, _code(envelope)
    message = _message(response, envelope)
    if status == 429:
        pause = pause_seconds(response.headers, now=now)
        return NotProcessed(message, status=status, code=code, retry_after_seconds=pause)
    if status == 408 or status >= 500:
        return OutcomeUnknown(message, status=status, code=code)
    if envelope.get("status") is not False:
        # A proxy, Paystack's edge or a wrong address said it: Paystack itself has refused nothing.
        message = f"{message}, and not in Paystack's words: check PAYSTACK_BASE_URL and any proxy"
        return OutcomeUnknown(message, status=status)
    if status == 401:
        message = (
            f"{message}. Set PAYSTACK_SECRET_KEY to a valid secret key"
            " (Paystack dashboard, Settings, API Keys & Webhooks)"
        )
        return KeyRejected(message, status=status, code=code)
    missing = status == 404 or code in _NOT_FOUND_CODES
    return (NotFound if missing else Refused)(message, status=status, code=code)


def _as_model(model: type[Model], data: Any) -> Model:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        fields = {str(part["loc"][0]) for part in error.errors(include_input=False) if part["loc"]}
        what = ", ".join(sorted(fields)) or "its data"
    raise OutcomeUnknown(f"the answer lacks or garbles {what}", status=200)


def _json_object(response: "httpx.Response") -> dict[str, Any] | None:
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _message(response: "httpx.Response", envelope: dict[str, Any]) -> str:
    message = envelope.get("message")
    if isinstance(message, str) and message:
        return message
    return response.reason_phrase or "no message"


def _code(envelope: dict[str, Any]) -> str | None:
    code = envelope.get("code")
    return code if isinstance(code, str) else None


def _page_count(meta: dict[str, Any]) -> int | None:
    pages = _number(meta.get("pageCount"))
    return None if pages is None else int(pages)


def _number(value: Any) -> float | None:
    """A finite number that may be written as a string, else None."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
