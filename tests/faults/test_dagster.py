"""Failures of Dagster itself: its storage is full, or a run is re-executed from failure.

The ledger counts, not the status of a step: whatever Dagster recorded of a run, the next one
completes the rest, and nothing happens twice.
"""

from collections.abc import Callable, Iterator

import dagster as dg
import pytest
from dagster._core.storage.event_log import InMemoryEventLogStorage

from leaseup_dagster.retries import waiting_at_most
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.twilio import ACCOUNT, TOKEN
from tests.faults.conftest import Cell
from tests.faults.dagster_jobs import reconstructable_job, resolve_job, run_config
from tests.faults.recovery import Scenario
from tests.faults.scenarios.customers import CustomerScenario
from tests.faults.scenarios.invoices import InvoiceScenario
from tests.faults.scenarios.reminders import ReminderScenario
from tests.faults.world import CREATE, CREATE_CUSTOMER, VERIFY, World

pytestmark = pytest.mark.faults

OPS = {
    "check_upcoming_invoices": {"plan_invoices": {"as_of": "2026-11-24"}},
    "send_late_payment_reminders": {
        "mark_overdue_invoices": {"as_of": "2026-11-05", "ignore_quiet_hours": True}
    },
    "create_paystack_customers": {},
}
SCENARIOS: dict[str, tuple[str, Callable[[World], Scenario]]] = {
    "invoices": ("check_upcoming_invoices", InvoiceScenario),
    "reminders": ("send_late_payment_reminders", ReminderScenario),
    "customers": ("create_paystack_customers", CustomerScenario),
}


class FullStorage(InMemoryEventLogStorage):
    """Dagster's event log, on a disk that is full after `space` events."""

    space = 10**9

    def store_event(self, event: dg.EventLogEntry) -> None:
        """Raises OSError when there is no space left."""
        if self.space <= 0:
            raise OSError(28, "No space left on device")
        self.space -= 1
        super().store_event(event)


@pytest.fixture
def environment(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The settings of a run in this world, with retries that do not wait."""
    for name, value in {
        "DATABASE_URL": world.proxy.url(world.name),
        "PAYSTACK_SECRET_KEY": "sk_test_sandbox",
        "PAYSTACK_BASE_URL": world.paystack.url,
        "PAYSTACK_RATE_LIMIT": "1000000",
        "TASK_MAX_DURATION_SECONDS": "30",  # no run waits for unanswered requests to settle
        "SMS_ENABLED": "true",
        "SMS_PROVIDER": "twilio",
        "SMS_API_KEY": ACCOUNT,
        "SMS_API_SECRET": TOKEN,
        "SMS_FROM_NUMBER": "LeaseUp",
        "TWILIO_BASE_URL": world.twilio.url,
    }.items():
        monkeypatch.setenv(name, value)
    with waiting_at_most(0):
        yield


@pytest.fixture
def storage() -> FullStorage:
    """An event log with space left, until a test sets `space`."""
    return FullStorage()


@pytest.fixture
def launch(environment: None, storage: FullStorage) -> Iterator[Callable[..., bool]]:
    """`launch("job")` executes a whole run. Returns whether it succeeded."""
    with dg.DagsterInstance.ephemeral() as instance:
        storage.register_instance(instance)
        instance._event_storage = storage

        def execute(job: str) -> bool:
            try:
                result = resolve_job(job).execute_in_process(
                    run_config=run_config(OPS[job]), instance=instance, raise_on_error=False
                )
            except OSError:
                return False
            return result.success

        yield execute


@pytest.mark.parametrize("space", [3, 14, 22, 28, 36])
@pytest.mark.parametrize("process", SCENARIOS)
def test_dagsters_storage_is_full(
    world: World, launch: Callable[..., bool], storage: FullStorage, cell: Cell, process: str,
    space: int,
) -> None:  # fmt: skip
    """The storage is full after `space` events, at any point of the run."""
    job, lay_out = SCENARIOS[process]
    cell(process, f"Dagster's storage is full after {space} events", "new run")
    scenario = lay_out(world)
    storage.space = space
    launch(job)
    scenario.check_nothing_twice()
    storage.space = 10**9
    world.time_passes(minutes=10)

    assert launch(job)
    scenario.check()


@pytest.mark.parametrize("process", SCENARIOS)
def test_the_same_day_three_times(
    world: World, launch: Callable[..., bool], cell: Cell, process: str
) -> None:
    job, lay_out = SCENARIOS[process]
    cell(process, "the whole job, three times on one day", "new run")
    scenario = lay_out(world)

    assert [launch(job) for _ in range(3)] == [True] * 3
    scenario.check()


@pytest.mark.parametrize("process", SCENARIOS)
def test_re_executed_from_failure(
    world: World, environment: None, cell: Cell, process: str
) -> None:
    """Steps that succeeded are not run again; the others continue from the ledger."""
    job, lay_out = SCENARIOS[process]
    cell(process, "run re-executed from failure", "new run")
    scenario = lay_out(world)
    endpoint = {"invoices": CREATE, "reminders": VERIFY, "customers": CREATE_CUSTOMER}[process]
    world.paystack.faults.on(endpoint, Fault.status(500), times=None)
    reconstructable, config = reconstructable_job(job), run_config(OPS[job])
    with dg.DagsterInstance.ephemeral() as instance:
        first = dg.execute_job(reconstructable, instance, run_config=config)
        world.heal()
        world.time_passes(minutes=10)
        failed = dg.ReexecutionOptions.from_failure(first.run_id, instance)
        second = dg.execute_job(reconstructable, instance, reexecution_options=failed)
        assert not first.success
        assert {event.step_key for event in second.all_events if event.is_step_start} < {
            event.step_key for event in first.all_events if event.is_step_start
        }
    scenario.check_nothing_twice()
    world.time_passes(minutes=10)
    scenario.run(scenario.day, lambda: None)
    scenario.check()
