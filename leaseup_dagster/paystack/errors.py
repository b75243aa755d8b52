"""What is known after a call to Paystack failed; that decides whether it may be sent again.

    PaystackError
    ├── NotProcessed       certainly not carried out: it may be sent again
    │   └── NotSent        no request left: the run was asked to stop, or the claim expired
    ├── OutcomeUnknown     it left and no understandable answer came: check before sending again
    └── Refused            Paystack said no and would say it again: a person must act
        ├── KeyRejected    no call works until PAYSTACK_SECRET_KEY is right
        │   └── NoWayOut   nor until what the message names is: no request left
        └── NotFound       what the call names is not there

Paystack's messages can quote what they were sent. E-mail addresses, phone numbers and keys are
removed before a message is kept, because errors end up in logs and in Dagster's event log.
"""

import re

_PERSONAL = (
    (re.compile(r"\b[sp]k_\w+"), "[key]"),
    (re.compile(r"[^\s@\"'<>(),;:]+@[^\s@\"'<>(),;:]+"), "[e-mail]"),
    # Seven digits or more, also when they are grouped like a phone number.
    (re.compile(r"\+?\d(?:[\s().-]{0,2}\d){6,}"), "[number]"),
)
_LONGEST_MESSAGE = 300


def redacted(text: str) -> str:
    """`text`, shortened, without e-mail addresses, seven or more digits in a row, and keys."""
    for pattern, stand_in in _PERSONAL:
        text = pattern.sub(stand_in, text)
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}…"


class PaystackError(Exception):
    """A call to Paystack failed. `status` and `code` are Paystack's; None where none came."""

    def __init__(self, message: str, *, status: int | None = None, code: str | None = None) -> None:
        self.message = redacted(message)
        self.status = status
        self.code = redacted(code) if code else None
        super().__init__(self.message)

    def __str__(self) -> str:
        status = "" if self.status is None else f" {self.status}"
        code = f" ({self.code})" if self.code else ""
        return f"Paystack API error{status}{code}: {self.message}"


class NotProcessed(PaystackError):
    """Certainly not carried out. It may be sent again, after `retry_after_seconds` if given."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message, status=status, code=code)
        self.retry_after_seconds = retry_after_seconds


class NotSent(NotProcessed):
    """No request left this process: the run was asked to stop, or the claim expired."""


class OutcomeUnknown(PaystackError):
    """It left and no understandable answer came. Search for its reference before sending again."""


class Refused(PaystackError):
    """Paystack said no and would say it again. A person must act."""


class KeyRejected(Refused):
    """Paystack does not know the secret key. No call works until it is right."""


class NoWayOut(KeyRejected):
    """The environment's proxy or certificates cannot be used: no call works until they are."""

    def __str__(self) -> str:
        return self.message


class NotFound(Refused):
    """What the call names is not at Paystack, or is archived and hidden from this call."""
