"""The side of the run: passes each step to Celery, and gives up on answers that cannot come.

dagster-celery alone waits for ever for a step whose worker was lost, or that no worker takes, and
cannot stop a step that has begun. It rests on two functions inside dagster-celery, as
`tests/many_machines/` does beside the pin.
"""

import time
from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode, get_retries_config
from dagster_celery.core_execution_loop import core_celery_execution_loop
from dagster_celery.defaults import broker_transport_options
from dagster_celery.executor import CeleryExecutor, _submit_task
from pydantic import SecretStr

from leaseup_dagster.settings import ExecutorSettings, SettingsError, TaskSettings, load

STOPPING_SECONDS = 60.0
"""For what is in flight when a run is asked to stop: the longest time-out of a request."""


class StepAnswer:
    """What a worker will say of a step; after `give_up_at` (monotonic), that nobody said it."""

    def __init__(self, answer: Any, run: PlanOrchestrationContext, give_up_at: float) -> None:
        self._answer, self._run, self._give_up_at = answer, run, give_up_at

    def ready(self) -> bool:
        return bool(self._answer.ready()) or time.monotonic() >= self._give_up_at

    def get(self) -> Any:
        if self._answer.ready():
            return self._answer.get()
        raise TimeoutError(
            "No worker answered in the time a run has. Is one running, with the same"
            " CELERY_BROKER_URL? If it was lost: the next run finishes what it had begun."
        )

    def revoke(self) -> None:
        """The run was asked to stop: steps that wait are not begun, and those that run see it."""
        instance, run_id = self._run.instance, self._run.run_id
        run = instance.get_run_by_id(run_id)
        if run and run.status == dg.DagsterRunStatus.STARTED:  # Ctrl-C, not Terminate
            instance.report_run_canceling(run)
        self._give_up_at = min(self._give_up_at, time.monotonic() + STOPPING_SECONDS)
        self._answer.revoke()


class StepsOnWorkers(CeleryExecutor):
    """dagster-celery's executor as the settings say, and with an end to its patience.

    A worker's app is made of the same, so that the two always meet.
    """

    def __init__(self, retries: RetryMode) -> None:
        settings = load(ExecutorSettings)
        if settings.task_executor != "celery":
            raise SettingsError("TASK_EXECUTOR: must be celery on every machine, the workers' too")
        lost_after = settings.celery_lost_after_seconds
        super().__init__(  # type: ignore[no-untyped-call]
            retries=retries,
            broker=_revealed(settings.celery_broker_url),
            backend=_revealed(settings.result_backend),
            config_source={
                # A step leaves the queue when it is done, not when it is begun: if its worker is
                # lost, another does it again. The ledgers, not the steps, keep the promises.
                "task_acks_late": True,
                "task_reject_on_worker_lost": True,
                "broker_transport_options": {
                    **broker_transport_options,
                    # How Redis knows; RabbitMQ sees the connection go.
                    "visibility_timeout": lost_after,
                    "unacked_restore_interval": min(10, lost_after),
                    "unacked_restore_throttle": 1,
                },
                "broker_connection_retry_on_startup": True,
                "result_expires": 3600,
            },
        )

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[dg.DagsterEvent]:
        give_up_at = time.monotonic() + load(TaskSettings).max_duration_seconds

        def submit(app: Any, run: PlanOrchestrationContext, *step: Any) -> StepAnswer:
            return StepAnswer(_submit_task(app, run, *step), run, give_up_at)

        yield from core_celery_execution_loop(plan_context, execution_plan, submit)


def _revealed(url: SecretStr | None) -> str | None:
    return url.get_secret_value() if url else None


@dg.executor(
    name="celery",
    config_schema={"retries": get_retries_config()},
    requirements=dg.multiple_process_executor_requirements(),
)
def celery_executor(init_context: dg.InitExecutorContext) -> StepsOnWorkers:
    """Steps on the workers that share our broker: TASK_EXECUTOR=celery."""
    retries: Any = init_context.executor_config["retries"]
    return StepsOnWorkers(RetryMode.from_config(retries) or RetryMode.ENABLED)
