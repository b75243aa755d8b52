"""One setting chooses where steps are executed; the code location loads whatever it says."""

import pytest

from leaseup_dagster.executors import chosen_executor
from leaseup_dagster.settings import SettingsError


@pytest.mark.parametrize(
    ("choice", "executor"),
    [("", "in_process"), ("multiprocess", "multiprocess"), ("celery", "celery")],
)
def test_the_setting_chooses(monkeypatch: pytest.MonkeyPatch, choice: str, executor: str) -> None:
    monkeypatch.setenv("TASK_EXECUTOR", choice)
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://localhost:6379/0")

    assert chosen_executor().name == executor


def test_a_wrong_choice_is_said_when_a_run_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASK_EXECUTOR", "dask")

    start = chosen_executor().executor_creation_fn

    assert start is not None
    with pytest.raises(SettingsError, match="TASK_EXECUTOR: "):
        start(None)
