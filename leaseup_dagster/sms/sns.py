"""AWS SNS's answers → what is known. Loading this loads boto3, which takes 0.15 s.

A message id means accepted, not delivered, and there is no call that finds a lost message again:
what is unknown stays unknown. AWS's own words are never passed on, because they quote the number.
"""

import logging
from datetime import datetime
from typing import Any

from boto3.session import Session
from botocore import exceptions as aws
from botocore.config import Config

from leaseup_dagster.settings import SettingsError
from leaseup_dagster.sms.sender import (
    CONNECT_SECONDS,
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

_NEVER_LEFT = (
    aws.EndpointConnectionError,
    aws.ConnectTimeoutError,
    aws.ProxyConnectionError,
    aws.ParamValidationError,
)
_ACCOUNT = (
    aws.NoCredentialsError,
    aws.PartialCredentialsError,
    aws.NoRegionError,
    aws.ProfileNotFound,
)
_THROTTLED = {"Throttled", "Throttling", "ThrottlingException"}
_KEYS = "check SMS_API_KEY, SMS_API_SECRET and SMS_AWS_REGION, or the role's permission sns:Publish"

# At DEBUG they print number and text.
for _name in ("boto3", "botocore", "urllib3"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class SnsSender:
    """AWS SNS in one region. Without a key the default credential chain is used.

    `from_number` is optional: digits are a number of ours, letters a sender id.
    """

    provider = "aws-sns"

    def __init__(
        self, *, region: str, key: str | None, secret: str | None, from_number: str
    ) -> None:
        try:
            session = Session(key or None, secret or None, region_name=region)
            self._client = session.client(
                "sns",
                config=Config(
                    connect_timeout=CONNECT_SECONDS,
                    read_timeout=READ_SECONDS,
                    # boto3 repeats a lost publish by itself: one text would become three.
                    retries={"total_max_attempts": 1},
                ),
            )
            known = session.get_credentials() is not None
        except aws.BotoCoreError as error:
            raise SettingsError(f"SMS_PROVIDER aws-sns: {type(error).__name__}, {_KEYS}") from None
        if not known:
            raise SettingsError(
                "SMS configuration missing: SMS_API_KEY, SMS_API_SECRET"
                " (or credentials where AWS's default chain finds them)"
            )
        self._attributes = _attributes(from_number)

    def send(self, number: str, text: str, *, valid_seconds: int) -> Outcome:
        # SNS takes texts to people who opted out and drops them silently: ask first.
        opted_out = self._opted_out(number)
        if opted_out is not None:
            return opted_out
        try:
            answer = self._client.publish(
                PhoneNumber=number, Message=text, MessageAttributes=self._attributes
            )
        except Exception as error:
            return _after_error(error)
        message_id = answer.get("MessageId")
        return Sent(message_id) if message_id else Unknown("AWS SNS's answer has no message id")

    def look_up(self, number: str, fingerprint: str, since: datetime) -> Outcome:
        return Unknown("no answer came, and AWS SNS cannot be asked")

    def delivery_of(self, message_id: str) -> Delivery | NoDelivery:
        return NoDelivery("AWS SNS has no delivery status to ask for", give_up=True)

    def close(self) -> None:
        self._client.close()

    def _opted_out(self, number: str) -> Outcome | None:
        """None: text it. A role that may publish but not ask texts without asking."""
        try:
            answer = self._client.check_if_phone_number_is_opted_out(phoneNumber=number)
        except aws.ClientError:
            return None
        except Exception as error:
            # Nothing was published yet, so whatever went wrong here, it is known.
            problem = _after_error(error)
            return NotSent(problem.why) if isinstance(problem, Unknown) else problem
        refused = NumberRefused("AWS SNS: the tenant opted out of texts", "OptedOut")
        return refused if answer.get("isOptedOut") else None


def _attributes(from_number: str) -> dict[str, Any]:
    values = {"AWS.SNS.SMS.SMSType": "Transactional"}
    if from_number.removeprefix("+").isdigit():
        values["AWS.MM.SMS.OriginationNumber"] = from_number
    elif from_number:
        values["AWS.SNS.SMS.SenderID"] = from_number
    return {name: {"DataType": "String", "StringValue": text} for name, text in values.items()}


def _after_error(error: Exception) -> Outcome:
    name = type(error).__name__
    if isinstance(error, aws.ClientError):
        answer = error.response
        status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        return _after_status(status, str(answer.get("Error", {}).get("Code", "")))
    if isinstance(error, _ACCOUNT):
        return AccountProblem(f"AWS SNS ({name}): {_KEYS}")
    if handshake_failed(error):
        return AccountProblem(f"no trusted connection to AWS SNS ({name})")
    if isinstance(error, _NEVER_LEFT):
        return NotSent(f"could not connect to AWS SNS ({name})")
    return Unknown(f"no answer came from AWS SNS ({name})")


def _after_status(status: int, code: str) -> Outcome:
    what = f"AWS SNS error {status}" + ("" if code in ("", str(status)) else f" ({code})")
    if not 400 <= status < 500 or status == 408:
        return Unknown(what)
    if status == 429 or code in _THROTTLED:
        return NotSent(f"{what}: too much at once")
    if status in (401, 403, 404):
        return AccountProblem(f"{what}: {_KEYS}")
    # InvalidParameter speaks of the number or of the sender: only repetition tells which.
    return NumberRefused(what, code, listed=code == "OptedOut")
