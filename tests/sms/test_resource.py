"""Which sender the environment asks for, and what is said when it asks for none that works."""

import pytest

from leaseup_dagster import settings
from leaseup_dagster.settings import SettingsError, SmsSettings
from leaseup_dagster.sms.resource import sender_from

TWILIO = {
    "SMS_ENABLED": "true",
    "SMS_PROVIDER": "twilio",
    "SMS_API_KEY": "AC1",
    "SMS_API_SECRET": "hush",
    "SMS_FROM_NUMBER": "LeaseUp",
}


def load(monkeypatch: pytest.MonkeyPatch, **environment: str) -> SmsSettings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return settings.load(SmsSettings)


def test_texts_are_off_unless_switched_on(monkeypatch) -> None:
    assert sender_from(load(monkeypatch)) is None
    assert sender_from(load(monkeypatch, **(TWILIO | {"SMS_ENABLED": "false"}))) is None


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"SMS_ENABLED": "true"}, "SMS_PROVIDER"),
        ({"SMS_ENABLED": "true", "SMS_PROVIDER": "twilio"},
         "SMS_API_KEY, SMS_API_SECRET, SMS_FROM_NUMBER"),
        (TWILIO | {"SMS_API_SECRET": ""}, "SMS_API_SECRET"),
        (TWILIO | {"SMS_FROM_NUMBER": ""}, "SMS_FROM_NUMBER"),
        (TWILIO | {"SMS_API_KEY": "SK1"}, "SMS_ACCOUNT_SID"),
        ({"SMS_ENABLED": "true", "SMS_PROVIDER": "aws-sns", "SMS_API_KEY": "k"}, "SMS_API_SECRET"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(monkeypatch, given, named) -> None:
    with pytest.raises(SettingsError) as caught:
        load(monkeypatch, **given)

    assert str(caught.value) == f"SMS configuration missing: {named}"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"SMS_PROVIDER": "pigeon"}, "SMS_PROVIDER"),
        ({"SMS_API_KEY": "key"}, "SMS_API_KEY: must be"),
        ({"TWILIO_BASE_URL": "api.twilio.com"}, "TWILIO_BASE_URL"),
        ({"SMS_ENABLED": "perhaps"}, "SMS_ENABLED"),
    ],
)
def test_a_wrong_value_is_named_without_the_secret(monkeypatch, wrong, named) -> None:
    with pytest.raises(SettingsError) as caught:
        load(monkeypatch, **(TWILIO | wrong))

    assert str(caught.value).startswith(named)
    assert "hush" not in str(caught.value)


def test_each_provider_has_its_sender(monkeypatch) -> None:
    twilio = sender_from(load(monkeypatch, **TWILIO))
    sns = sender_from(load(monkeypatch, **(TWILIO | {"SMS_PROVIDER": "aws-sns"})))

    assert [type(sender).__name__ for sender in (twilio, sns)] == ["TwilioSender", "SnsSender"]
    for sender in (twilio, sns):
        sender.close()
