"""Twilio's answers → what is known. Loading this loads Twilio's SDK, which takes 0.1 s.

The HTTP status decides first, a short list of Twilio's codes second: codes are split into finer
ones over the years. Twilio's own words are never passed on, because they quote the number.
"""

import logging
import time
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import requests
from twilio.base.exceptions import TwilioRestException, TwilioServiceException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client
from urllib3.exceptions import NewConnectionError

from leaseup_dagster.sms.gsm7 import fingerprint as fingerprint_of
from leaseup_dagster.sms.sender import (
    CONNECT_SECONDS,
    LONGEST_VALIDITY_SECONDS,
    READ_SECONDS,
    AccountProblem,
    Delivery,
    NoDelivery,
    NotSent,
    NumberRefused,
    Outcome,
    Sent,
    Unknown,
)
from leaseup_dagster.sms.tls import handshake_failed

_KEYS = "check SMS_API_KEY, SMS_API_SECRET and SMS_ACCOUNT_SID"
_FROM = "check SMS_FROM_NUMBER"
_ACCOUNT_CODES = {
    20003: _KEYS,
    20005: "the account is not active: check its balance",
    20008: "these are test credentials: " + _KEYS,
    20403: "the account is suspended or closed",
    21212: _FROM,
    21606: _FROM,
    21659: _FROM,
    21660: _FROM,
    21608: "a trial account texts verified numbers only",
    63038: "the account's daily limit is reached",
    **dict.fromkeys((21602, 21617, 21619, 21658), "text empty or too long: REMINDER_TEMPLATE"),
}
_NUMBER_CODES = {21211, 21217, 21265, 21610, 21614, 21635}
# Abroad they speak of one country; for our own, of the account.
_COUNTRY_CODES = {21408: "Geo Permissions do not allow texts to South Africa", 21612: _FROM}
_ACCOUNT_STATUSES = {401: _KEYS, 403: _KEYS, 404: "check SMS_ACCOUNT_SID and TWILIO_BASE_URL"}
_SENDER_QUEUE_FULL = 21611
_UNDELIVERED = {"failed", "undelivered", "canceled"}
_PASSING = {"30001", "30002", "30003", "30008", "30010", "canceled", "failed", "undelivered"}
"""Causes of a text that was not delivered which pass: it was sent, and counts as sent."""
_LOOK_AT = 20
_NOT_FOUND = 404
_CLOCKS_DIFFER = timedelta(minutes=2)

# At INFO the SDK logs headers and the account, and a lookup's phone number twice.
for _name in ("twilio.http_client", "urllib3"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class TwilioSender:
    """Twilio for one account: `username` and `secret` are its SID and token, or an API key's."""

    provider = "twilio"

    def __init__(
        self, *, base_url: str, account_sid: str, username: str, secret: str, from_number: str
    ) -> None:
        self._http = _HttpAt(base_url)
        self._client = Client(
            username,
            secret,
            account_sid,
            http_client=self._http,
            # Not empty, or the SDK takes TWILIO_* instead: an edge would even change the host.
            environment={"unused": "unused"},
        )
        service = from_number.startswith("MG")
        self._from = {"messaging_service_sid" if service else "from_": from_number}

    def send(self, number: str, text: str, *, valid_seconds: int) -> Outcome:
        try:
            message = self._client.messages.create(
                to=number,
                body=text,
                validity_period=max(1, min(valid_seconds, LONGEST_VALIDITY_SECONDS)),
                **self._from,
            )
        except Exception as error:
            return _after_error(error, number)
        return _after_message(message)

    def look_up(self, number: str, fingerprint: str, since: datetime) -> Outcome:
        # By number alone: a text still queued has no date yet, and no sender with a service.
        try:
            newest = self._client.messages.list(to=number, limit=_LOOK_AT, page_size=_LOOK_AT)
        except Exception as error:
            return Unknown(f"Twilio could not be asked ({type(error).__name__})")
        for message in newest:
            if _is_the_one(message, fingerprint, since):
                return _after_message(message)
        return Unknown("no answer came, and it is not in Twilio's list")

    def delivery_of(self, message_id: str) -> Delivery | NoDelivery:
        try:
            message = self._client.messages(message_id).fetch()
        except TwilioRestException as error:
            found = f"Twilio error {error.status} ({error.code})"
            return NoDelivery(found, give_up=error.status != _NOT_FOUND)
        except Exception as error:
            return NoDelivery(f"Twilio could not be asked ({type(error).__name__})", give_up=True)
        code = None if message.error_code is None else str(message.error_code)
        return Delivery(str(message.status), code)

    def close(self) -> None:
        self._http.session.close()


class _AskedToWait(Exception):
    """No request left: Twilio asked to be left alone for `seconds` more."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


class _HttpAt(TwilioHttpClient):  # type: ignore[misc]  # the SDK is untyped
    """Twilio's own client at another base URL, with time-outs, and obeying Retry-After."""

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self.timeout = (CONNECT_SECONDS, READ_SECONDS)  # the constructor refuses a pair
        self._base = urlsplit(base_url)
        self._wait_until = 0.0

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        wait = self._wait_until - time.monotonic()
        if wait > 0:
            raise _AskedToWait(wait)
        path = self._base.path.rstrip("/") + urlsplit(url).path
        moved = urlsplit(url)._replace(
            scheme=self._base.scheme, netloc=self._base.netloc, path=path
        )
        response = super().request(method, moved.geturl(), *args, **kwargs)
        if response.status_code == 429:
            self._wait_until = time.monotonic() + _seconds(response.headers.get("Retry-After"))
        return response


def _seconds(header: str | None) -> float:
    return float(header) if header and header.isdigit() else 0.0


def _after_message(message: Any) -> Outcome:
    if not message.sid:
        return Unknown("Twilio's answer has no message id")
    code = message.error_code or message.status
    # A handset that was off, or a queue that ran over, says nothing of the number.
    if message.status in _UNDELIVERED and str(code) not in _PASSING:
        return NumberRefused(f"Twilio took the text and could not deliver it ({code})", str(code))
    return Sent(message.sid)


def _after_error(error: Exception, number: str) -> Outcome:
    name = type(error).__name__
    if isinstance(error, TwilioRestException | TwilioServiceException):
        return _after_status(int(error.status), int(error.code or error.status), number)
    if isinstance(error, _AskedToWait):
        return NotSent("Twilio asked to wait", retry_after_seconds=error.seconds)
    if handshake_failed(error):
        return AccountProblem(f"no trusted connection to Twilio ({name}): check TWILIO_BASE_URL")
    if _never_left(error):
        return NotSent(f"could not connect to Twilio ({name})")
    return Unknown(f"no answer came from Twilio ({name})")


def _never_left(error: Exception) -> bool:
    """`ConnectionError` is both "refused" and "closed after it was accepted"."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    cause = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(error, requests.ConnectionError) and isinstance(cause, NewConnectionError)


def _after_status(status: int, code: int, number: str) -> Outcome:
    what = f"Twilio error {status}" if code == status else f"Twilio error {status} ({code})"
    if status == 408 or status >= 500:
        return Unknown(what)
    advice = _ACCOUNT_CODES.get(code)
    if code in _COUNTRY_CODES and number.startswith("+27"):
        advice = _COUNTRY_CODES[code]
    if advice is None and (status == 429 or code == _SENDER_QUEUE_FULL):
        return NotSent(f"{what}: too much at once")
    if status < 400:
        advice = "redirected elsewhere, check TWILIO_BASE_URL"
    advice = advice or _ACCOUNT_STATUSES.get(status)
    if advice is not None:
        return AccountProblem(f"{what}: {advice}")
    return NumberRefused(what, str(code), listed=code in _NUMBER_CODES | set(_COUNTRY_CODES))


def _is_the_one(message: Any, fingerprint: str, since: datetime) -> bool:
    return (
        message.direction == "outbound-api"
        and (message.date_created is None or message.date_created >= since - _CLOCKS_DIFFER)
        and fingerprint_of(message.body or "") == fingerprint
    )
