"""Runs are deleted with all that Dagster kept of them, and only those that have ended."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg

from leaseup_dagster.operations.ops import forget_runs_before
from tests.conftest import Run


def test_what_an_old_run_left_is_deleted(tmp_path: Path) -> None:
    @dg.op
    def say(context: dg.OpExecutionContext) -> int:
        print("something")
        return 1

    @dg.job
    def speak() -> None:
        say()

    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        old = speak.execute_in_process(instance=instance)
        between = datetime.now(tz=timezone.utc)
        new = speak.execute_in_process(instance=instance)
        waiting = instance.create_run_for_job(speak, status=dg.DagsterRunStatus.STARTED)
        output = Path(instance.storage_directory()) / old.run_id
        assert output.is_dir()

        assert forget_runs_before(instance, between) == 1

        assert set(instance.get_run_ids()) == {new.run_id, waiting.run_id}
        assert instance.all_logs(old.run_id) == []
        assert not output.exists()


def test_by_default_a_year_is_kept(run: Run, instance: dg.DagsterInstance) -> None:
    before = set(instance.get_run_ids())

    result = run("forget_old_runs")

    assert result.success
    assert before < set(instance.get_run_ids())


def test_dates_are_compared_with_the_end(tmp_path: Path) -> None:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        assert forget_runs_before(instance, datetime.now(tz=timezone.utc) - timedelta(days=1)) == 0
