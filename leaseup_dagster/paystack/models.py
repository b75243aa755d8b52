"""What is sent to Paystack and what comes back.

Sent values are checked; answers are read leniently, because fields come and go between
endpoints. The repr of a model shows no name, e-mail address, phone number or free text.
"""

import json
import re
from datetime import date, datetime, timezone
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_serializer,
)


def normal_email(email: str) -> str:
    """Trimmed and lower-cased: whether Paystack tells cases apart is not documented."""
    return email.strip().lower()


def _metadata(value: Any) -> dict[str, str]:
    """Paystack answers an object, the same as a JSON string, an empty string or null."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    if not isinstance(value, dict):
        return {}
    return {str(key): item if isinstance(item, str) else str(item) for key, item in value.items()}


def _id_of(value: Any) -> Any:
    """A customer is its numeric id after a creation, and an object everywhere else."""
    return value.get("id") if isinstance(value, dict) else value


def _in_utc(instant: datetime | None) -> datetime | None:
    if instant is not None and instant.tzinfo is None:
        return instant.replace(tzinfo=timezone.utc)
    return instant


Metadata = Annotated[dict[str, str], BeforeValidator(_metadata)]
Instant = Annotated[datetime | None, AfterValidator(_in_utc)]
Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
Flag = Annotated[bool, BeforeValidator(lambda value: value or False)]


class _Sent(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    def body(self) -> dict[str, Any]:
        """The JSON object to send; what is not set is left out, never sent empty."""
        fields = self.model_dump(mode="json", by_alias=True)
        return {name: value for name, value in fields.items() if value not in (None, "", {})}


class NewPaymentRequest(_Sent):
    """A payment request to be made.

    `customer` is Paystack's id or code of the payer. `due_date` includes the whole of that day
    in Johannesburg. Without a `split_code` the money settles on the integration's own account.
    """

    customer: int | str
    amount_cents: int = Field(serialization_alias="amount", gt=0, strict=True)
    # Never left to Paystack: its default is naira.
    currency: str = Field(min_length=3, max_length=3)
    due_date: date
    description: str = Field(repr=False)
    metadata: dict[str, str]
    send_notification: bool
    split_code: str | None = None

    @field_serializer("due_date")
    def _end_of_day_in_johannesburg(self, due_date: date) -> str:
        # A bare date would be read as midnight UTC: two hours into the day, not its end.
        return f"{due_date.isoformat()}T21:59:59Z"


class NewCustomer(_Sent):
    """A customer to be made. Paystack answers with the existing one if it knows the e-mail."""

    email: Annotated[str, AfterValidator(normal_email)] = Field(min_length=3, repr=False)
    first_name: str | None = Field(None, repr=False)
    last_name: str | None = Field(None, repr=False)
    phone: str | None = Field(None, repr=False)
    metadata: dict[str, str] = Field(default_factory=dict)


class _Read(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, populate_by_name=True
    )


class Transaction(_Read):
    """A payment made on a payment request. The reference is Paystack's own."""

    reference: Text = ""
    amount_cents: int | None = Field(None, validation_alias="amount")
    currency: Text = ""
    status: Text = ""
    paid_at: Instant = None


def _transactions(value: Any) -> list[Any]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


class PaymentRequest(_Read):
    """A payment request at Paystack.

    `archived` is None where the answer does not say: a list that includes archived ones does not
    mark them. The paid and the pending amount are only in the answers of fetch and verify.
    """

    id: int
    request_code: str = Field(min_length=1)
    amount_cents: int = Field(validation_alias="amount")
    currency: Text = ""
    status: Text = ""
    paid: Flag = False
    paid_at: Instant = None
    archived: bool | None = None
    description: Text = Field("", repr=False)
    metadata: Metadata = Field(default_factory=dict)
    customer_id: Annotated[int | None, BeforeValidator(_id_of)] = Field(
        None, validation_alias="customer"
    )
    created_at: Instant = Field(None, validation_alias=AliasChoices("created_at", "createdAt"))
    due_date: Instant = None
    split_code: Text = ""
    # What LeaseUp's own code knows it by.
    offline_reference: Text = ""
    amount_paid_cents: int | None = Field(None, validation_alias="amount_paid")
    pending_amount_cents: int | None = Field(None, validation_alias="pending_amount")
    transactions: Annotated[list[Transaction], BeforeValidator(_transactions)] = Field(
        default_factory=list
    )

    @property
    def has_payments(self) -> bool:
        """Whether anything was paid on it, in full or in part. Only fetch and verify can tell."""
        pending = self.pending_amount_cents
        return (
            self.paid
            or bool(self.amount_paid_cents)
            or (pending is not None and pending < self.amount_cents)
            or any(transaction.status == "success" for transaction in self.transactions)
        )

    def mentions(self, reference: str) -> bool:
        """Whether it was made for `reference`: in its metadata, or a whole word of its description.

        Either is enough, since only one of the two is documented to come back.
        """
        if self.metadata.get("reference") == reference:
            return True
        word = rf"(?<![\w-]){re.escape(reference)}(?![\w-])"
        return re.search(word, self.description) is not None


class Customer(_Read):
    """A customer at Paystack: everyone who shares the e-mail address shares the customer."""

    id: int
    customer_code: str = Field(min_length=1)
    email: Text = Field("", repr=False)
    first_name: Text = Field("", repr=False)
    last_name: Text = Field("", repr=False)
    phone: Text = Field("", repr=False)
    metadata: Metadata = Field(default_factory=dict, repr=False)
