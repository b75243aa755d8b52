"""How a lease's payment requests stand at Paystack: one question each, only when it is wanted."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Engine

from leaseup_dagster.database.quota import SharedQuota
from leaseup_dagster.money import format_rands
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.paystack.errors import KeyRejected, PaystackError
from leaseup_dagster.settings import PaystackSettings, load

MOST = 24
"""The newest requests that are asked about; two years of rent."""


@dataclass(frozen=True)
class Answer:
    """What Paystack says of one payment request; `problem` where it says nothing."""

    request_code: str
    status: str = ""
    archived: bool = False
    amount_cents: int = 0
    paid_cents: int = 0
    problem: str = ""

    def in_words(self) -> str:
        """The payment request as Paystack has it, or why it is not known."""
        if self.problem:
            return self.problem
        said = [
            self.status,
            f"{format_rands(self.paid_cents)} of {format_rands(self.amount_cents)}",
        ]
        return ", ".join([*said, *(["archived"] if self.archived else [])])


def ask(engine: Engine, request_codes: Iterable[str]) -> list[Answer]:
    """The newest `MOST` of `request_codes`, alternate with everybody who shares the quota.

    Raises SettingsError without a key, and KeyRejected when it is wrong.
    """
    paystack = load(PaystackSettings)
    with PaystackClient(
        secret_key=paystack.secret_key.get_secret_value(),
        base_url=paystack.base_url,
        quota=SharedQuota(engine, paystack.requests_per_minute, follow=paystack.rate_limit is None),
        timeout_seconds=paystack.timeout_seconds,
        connections=1,
        stop=threading.Event(),
    ) as client:
        return [_ask(client, code) for code in list(request_codes)[-MOST:]]


def _ask(client: PaystackClient, code: str) -> Answer:
    try:
        request = client.fetch_payment_request(code)
    except KeyRejected:
        raise
    except PaystackError as error:
        return Answer(code, problem=str(error))
    return Answer(
        request_code=code,
        status=request.status,
        archived=request.archived is True,
        amount_cents=request.amount_cents,
        paid_cents=request.amount_paid_cents or 0,
    )
