"""What answers, and their absence, mean."""

import httpx
import pytest

from leaseup_dagster.paystack.answers import pause_seconds, reported_limit, unanswered
from leaseup_dagster.paystack.errors import NotProcessed, OutcomeUnknown

NOW = 1_796_000_000.0


def every_kind(of: type[httpx.HTTPError]) -> set[type[httpx.HTTPError]]:
    return {of}.union(*(every_kind(kind) for kind in of.__subclasses__()))


def test_only_errors_from_before_the_first_byte_mean_not_processed() -> None:
    """Every other class of httpx, also one that a new version adds, means: check first."""
    kinds = every_kind(httpx.TransportError)

    not_processed = {kind for kind in kinds if isinstance(unanswered(kind("")), NotProcessed)}

    assert not_processed == {
        httpx.ConnectError,
        httpx.ConnectTimeout,
        httpx.PoolTimeout,
        httpx.ProxyError,
        httpx.UnsupportedProtocol,
    }


def test_an_error_without_an_answer_tells_its_class_and_not_its_text() -> None:
    error = unanswered(httpx.ReadTimeout("GET https://x/customer/thandi@example.com"))

    assert isinstance(error, OutcomeUnknown)
    assert str(error) == "Paystack API error: no answer came (ReadTimeout)"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-ratelimit-reset": "30"}, 30),
        ({"x-ratelimit-reset": "0"}, 1),
        ({"x-ratelimit-reset": "-5"}, 1),
        ({"x-ratelimit-reset": "3600"}, 120),
        ({"x-ratelimit-reset": f"{NOW + 45:.0f}"}, 45),
        ({"x-ratelimit-reset": f"{NOW + 3600:.0f}"}, 120),
        ({"x-ratelimit-reset": f"{NOW - 3600:.0f}"}, 1),
        ({"x-ratelimit-reset": "soon"}, 60),
        ({"x-ratelimit-reset": "nan"}, 60),
        ({"x-ratelimit-reset": "inf"}, 60),
        ({}, 60),
        ({"retry-after": "7"}, 7),
        ({"x-ratelimit-reset": "soon", "retry-after": "7"}, 7),
        ({"x-ratelimit-reset": "30", "retry-after": "7"}, 30),
        ({"retry-after": "Tue, 01 Dec 2026 07:00:00 GMT"}, 60),
    ],
)
def test_a_pause_is_what_paystack_says_within_reason(
    headers: dict[str, str], seconds: float
) -> None:
    assert pause_seconds(headers, now=NOW) == seconds


@pytest.mark.parametrize(
    ("header", "limit"),
    [("600", 600), ("1", 1), (None, None), ("0", None), ("-5", None), ("many", None), ("nan", None),
     ("1e9", None), ("", None)],
)  # fmt: skip
def test_a_limit_is_taken_only_if_it_can_be_one(header: str | None, limit: int | None) -> None:
    assert reported_limit({} if header is None else {"x-ratelimit-limit": header}) == limit
