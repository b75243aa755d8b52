"""The morning's job with each step in a process of its own, on one machine."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from dagster import DagsterEventType, DagsterInstance
from sqlalchemy import Connection

from leaseup_dagster.sandbox.paystack import PaystackStandIn
from tests.many_machines.conftest import COMMAND, CONFIG
from tests.many_machines.promises import assert_each_lease_is_billed_once

pytestmark = pytest.mark.faults


def test_steps_in_processes_of_their_own_bill_each_lease_once(
    many_machines: pytest.MonkeyPatch,
    tmp_path: Path,
    leases: Callable[[int], list[str]],
    connection: Connection,
    paystack: PaystackStandIn,
) -> None:
    due = leases(4)
    many_machines.setenv("TASK_EXECUTOR", "multiprocess")
    many_machines.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    (tmp_path / "config.yaml").write_text(CONFIG)

    command = [sys.executable, "-m", "dagster", *COMMAND]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=240, check=False)

    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert_each_lease_is_billed_once(connection, paystack, due)
    with DagsterInstance.get() as instance:
        (run,) = instance.get_run_ids(limit=1)
        starts = instance.all_logs(run, of_type=DagsterEventType.STEP_START)
    processes = [event.get_dagster_event().pid for event in starts]
    assert len(set(processes)) == len(processes) > 1
