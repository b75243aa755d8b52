"""What is sent, and how leniently answers are read."""

from datetime import datetime, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from leaseup_dagster.paystack.models import Customer, NewCustomer, PaymentRequest
from tests.paystack.conftest import Rent

LEAST: dict[str, Any] = {"id": 7, "request_code": "PRQ_1weqqsn2wwzgft8", "amount": 125000}
NEXT_MONTH = "Rent December 2026, ref LU-7."


def test_a_due_date_lasts_until_the_end_of_that_day_in_johannesburg(
    rent: Rent,
) -> None:
    assert rent().body()["due_date"] == "2026-12-01T21:59:59Z"


@pytest.mark.parametrize("split_code", [None, ""])
def test_no_split_code_is_left_out(rent: Rent, split_code: str | None) -> None:
    """Sent empty it once settled a landlord's rent on the platform, silently."""
    assert "split_code" not in rent(split_code=split_code).body()


def test_a_notification_that_is_not_wanted_is_said_so(
    rent: Rent,
) -> None:
    """Left out it would mean yes."""
    assert rent(send_notification=False).body()["send_notification"] is False


@pytest.mark.parametrize("amount", [0, -1, 100.0, 99.5, "100", True])
def test_an_amount_is_a_positive_whole_number_of_cents(rent: Rent, amount: object) -> None:
    with pytest.raises(ValidationError):
        rent(amount_cents=amount)


def test_an_email_is_trimmed_and_lower_cased() -> None:
    assert NewCustomer(email=" Thandi@Example.com ").body() == {"email": "thandi@example.com"}


@pytest.mark.parametrize(
    ("metadata", "description", "mentioned"),
    [
        ({"reference": "LU-7"}, None, True),
        (None, NEXT_MONTH, True),
        ('{"reference": "LU-7"}', "", True),
        ("", "(LU-7)", True),
        ({"reference": "LU-77"}, "Rent LU-77", False),
        ({"reference": "LU-7-1"}, "Rent LU-7-1", False),
        ({"other": "LU-7"}, "Rent XLU-7", False),
        (None, None, False),
    ],
)
def test_a_request_mentions_its_reference_as_a_whole_word(
    metadata: object, description: str | None, mentioned: bool
) -> None:
    read = PaymentRequest.model_validate(LEAST | {"metadata": metadata, "description": description})

    assert read.mentions("LU-7") is mentioned


@pytest.mark.parametrize(
    "variety",
    [
        {"customer": 5},
        {"customer": {"id": 5, "email": "thandi@example.com", "first_name": None}},
        {"customer": 5, "notifications": "[]", "transactions": None, "integration": {"key": "x"}},
        {"customer": 5, "paid": None, "archived": None, "currency": None, "discount": {"x": 1}},
    ],
)
def test_every_endpoint_s_wording_of_a_request_is_read(variety: dict[str, Any]) -> None:
    assert PaymentRequest.model_validate(LEAST | variety).customer_id == 5


@pytest.mark.parametrize("name", ["created_at", "createdAt"])
@pytest.mark.parametrize("text", ["2026-11-24T08:00:00.000Z", "2026-11-24T08:00:00"])
def test_instants_are_aware_whatever_they_are_called(name: str, text: str) -> None:
    read = PaymentRequest.model_validate(LEAST | {name: text})

    assert read.created_at == datetime(2026, 11, 24, 8, tzinfo=timezone.utc)


@pytest.mark.parametrize("missing", ["id", "request_code", "amount"])
def test_an_answer_without_what_identifies_it_is_not_one(missing: str) -> None:
    with pytest.raises(ValidationError):
        PaymentRequest.model_validate({k: v for k, v in LEAST.items() if k != missing})


def test_no_repr_shows_who_it_is_about(rent: Rent) -> None:
    person = {
        "email": "thandi@example.com",
        "first_name": "Thandi",
        "last_name": "Mokoena",
        "phone": "+27821234567",
    }
    customer = Customer.model_validate(
        {"id": 5, "customer_code": "CUS_5", **person, "metadata": person}
    )
    request = PaymentRequest.model_validate(
        LEAST | {"customer": person | {"id": 5}, "description": "Rent of Thandi Mokoena"}
    )

    shown = f"{NewCustomer(**person)!r}{customer!r}{request!r}{rent(description='Mokoena')!r}"

    assert not [value for value in person.values() if value in shown]


def test_a_validation_error_does_not_repeat_what_was_wrong() -> None:
    with pytest.raises(ValidationError) as caught:
        NewCustomer(email="thandi@example.com", phone=27821234567)  # type: ignore[arg-type]

    assert "27821234567" not in str(caught.value)
