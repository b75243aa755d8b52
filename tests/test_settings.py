"""A wrong setting stops a run with a message that names the variable and never a secret."""

import pytest

from leaseup_dagster.settings import (
    DatabaseSettings,
    ExecutorSettings,
    PaystackSettings,
    SettingsError,
    TaskSettings,
    load,
)

SECRET = "sk_test_0123456789secret"


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("PAYSTACK_SECRET_KEY", SECRET)
    return monkeypatch


def test_a_missing_secret_key_is_named() -> None:
    with pytest.raises(SettingsError) as error:
        load(PaystackSettings)
    assert str(error.value) == "PAYSTACK_SECRET_KEY environment variable is required"


def test_an_empty_variable_is_a_missing_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    with pytest.raises(SettingsError, match="DATABASE_URL environment variable is required"):
        load(DatabaseSettings)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PAYSTACK_SECRET_KEY", "pk_test_notsecret"),
        ("PAYSTACK_SECRET_KEY", "sk_prod_x"),
        ("PAYSTACK_PUBLIC_KEY", "pk_live_x"),
        ("PAYSTACK_BASE_URL", "api.paystack.co"),
        ("PAYSTACK_RATE_LIMIT", "0"),
        ("PAYSTACK_TIMEOUT_SECONDS", "soon"),
        ("PAYSTACK_SETTLE_SECONDS", "39"),
        ("PAYSTACK_SEND_NOTIFICATION", "perhaps"),
        ("TASK_BATCH_SIZE", "0"),
        ("TASK_BATCH_SIZE", "ten"),
        ("TASK_CHECK_DAYS_AHEAD", "-1"),
        ("TASK_MAX_NEW_INVOICES", "many"),
        ("TASK_MAX_DURATION_SECONDS", "5"),
        ("TASK_MAX_DURATION_SECONDS", "301"),
        ("TASK_LANDLORD_STATUSES", "ACTIVE,PAYING"),
    ],
)
def test_a_wrong_value_names_its_variable(
    key: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    key.setenv(variable, value)

    with pytest.raises(SettingsError, match=f"^{variable}: ") as error:
        load(PaystackSettings if variable.startswith("PAYSTACK") else TaskSettings)

    assert SECRET not in str(error.value)


def test_all_wrong_values_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASK_BATCH_SIZE", "x")
    monkeypatch.setenv("TASK_CHECK_DAYS_AHEAD", "y")
    with pytest.raises(SettingsError) as error:
        load(TaskSettings)
    assert [line.split(":")[0] for line in str(error.value).splitlines()] == [
        "TASK_BATCH_SIZE",
        "TASK_CHECK_DAYS_AHEAD",
    ]


def test_a_wrong_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYSTACK_SECRET_KEY", "whsec_sensitive")
    with pytest.raises(SettingsError) as error:
        load(PaystackSettings)
    assert "sensitive" not in str(error.value)


def test_a_line_end_behind_the_key_is_not_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYSTACK_SECRET_KEY", " sk_test_x\r")
    assert load(PaystackSettings).secret_key.get_secret_value() == "sk_test_x"


def test_the_mode_of_the_key_gives_the_limit(key: pytest.MonkeyPatch) -> None:
    assert load(PaystackSettings).requests_per_minute == 100
    key.setenv("PAYSTACK_SECRET_KEY", "sk_live_x")
    assert load(PaystackSettings).requests_per_minute == 600
    key.setenv("PAYSTACK_RATE_LIMIT", "1200")
    assert load(PaystackSettings).requests_per_minute == 1200


def test_the_defaults_are_the_documented_ones(key: pytest.MonkeyPatch) -> None:
    paystack, tasks = load(PaystackSettings), load(TaskSettings)
    assert (paystack.base_url, paystack.timeout_seconds) == ("https://api.paystack.co", 30)
    assert (paystack.settle_seconds, paystack.send_notification) == (120, True)
    assert (tasks.batch_size, tasks.check_days_ahead, tasks.max_new_invoices) == (10, 50, 1000)
    assert (tasks.max_duration_seconds, tasks.served_landlord_statuses) == (300, ())


def test_an_executor_nobody_knows_is_refused_with_those_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TASK_EXECUTOR", "dask")
    with pytest.raises(SettingsError, match=r"^TASK_EXECUTOR: .*'multiprocess', 'celery' or 'k8s'"):
        load(ExecutorSettings)


def test_celery_needs_a_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASK_EXECUTOR", "celery")
    with pytest.raises(SettingsError, match=r"^CELERY_BROKER_URL environment variable is required"):
        load(ExecutorSettings)


@pytest.mark.parametrize(
    ("broker", "backend"),
    [
        ("redis://broker:6379/0", "redis://broker:6379/0"),
        ("amqp://guest@broker//", "rpc://"),
    ],
)
def test_answers_come_back_the_way_the_broker_can(
    monkeypatch: pytest.MonkeyPatch, broker: str, backend: str
) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", broker)
    answers = load(ExecutorSettings).result_backend
    assert answers is not None
    assert answers.get_secret_value() == backend
