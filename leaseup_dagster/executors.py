"""Where the steps of a run are executed: TASK_EXECUTOR says it, when the code is loaded.

The jobs are the same everywhere. What an executor needs is imported only when it is chosen.
"""

import gc
from typing import Any

import dagster as dg

from leaseup_dagster.database.resource import EngineResource
from leaseup_dagster.settings import ExecutorSettings, SettingsError, load

_FORKED = ("dagster._cli", "dagster_postgres", "leaseup_dagster.definitions")
"""What each step's process has at birth; to import it takes longer than most steps."""

_PROCESSES = 4
"""Steps at once on one machine: each has connections of its own to LeaseUp's database."""


def chosen_executor() -> dg.ExecutorDefinition:
    """The executor of every job. A wrong choice is said when a run starts, not at loading."""
    try:
        choice = load(ExecutorSettings).task_executor
    except SettingsError as error:
        return _refusing(str(error))
    try:
        return _executor(choice)
    except ImportError:
        return _refusing(
            f"TASK_EXECUTOR: {choice} is not installed: pip install 'leaseup-dagster[{choice}]'"
        )


def _executor(choice: str) -> dg.ExecutorDefinition:
    if choice == "multiprocess":
        return dg.multiprocess_executor.configured(
            {
                "start_method": {"forkserver": {"preload_modules": list(_FORKED)}},
                "max_concurrent": _PROCESSES,
            }
        )
    if choice == "celery":
        from leaseup_dagster.many_machines.executor import celery_executor  # noqa: PLC0415

        return celery_executor
    if choice == "k8s":
        from dagster_k8s import k8s_job_executor  # noqa: PLC0415

        one_pod_per_step: dg.ExecutorDefinition = k8s_job_executor
        return one_pod_per_step
    return _IN_PROCESS


def step_outputs(engine: EngineResource) -> dict[str, Any]:
    """The resource that keeps what steps pass on, where the machines share no folder."""
    try:
        many_machines = load(ExecutorSettings).many_machines
    except SettingsError:
        return {}
    if not many_machines:
        return {}
    from leaseup_dagster.many_machines.outputs import SharedOutputs  # noqa: PLC0415

    return {"io_manager": SharedOutputs(engine=engine)}


def _in_process(init_context: dg.InitExecutorContext) -> Any:
    """Dagster's own, on a storage that keeps its connection as the webserver's does.

    To connect anew for each event, as it would, takes longer than to write the event. Only for
    seconds: a connection from before the storage was restarted would fail the run.
    """
    # The process is the run's own, and what it has loaded stays to its end: searching that
    # for garbage, the last time while leaving, takes a quarter of a run with nothing to bill.
    gc.freeze()
    init_context.instance.optimize_for_webserver(
        statement_timeout=30_000, pool_recycle=5, max_overflow=20
    )
    return dg.in_process_executor.executor_creation_fn(init_context)  # type: ignore[misc]


_schema: Any = dg.in_process_executor.config_schema
_IN_PROCESS = dg.ExecutorDefinition(
    name="in_process",
    config_schema=_schema,
    requirements=[],
    executor_creation_fn=_in_process,
)


def _refusing(message: str) -> dg.ExecutorDefinition:
    @dg.executor(name="none", requirements=[])
    def refuse(_: dg.InitExecutorContext) -> dg.Executor:
        raise SettingsError(message)

    return refuse
