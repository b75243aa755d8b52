"""The side of the worker: `celery -A leaseup_dagster.many_machines.worker worker`.

Reads `.env` in the working directory as Dagster's own commands do: it wins over the environment.
"""

import importlib
from pathlib import Path

from dagster._core.execution.retries import RetryMode
from dagster_celery.make_app import make_app
from dagster_celery.tasks import create_task
from dotenv import load_dotenv

from leaseup_dagster.many_machines.executor import StepsOnWorkers

load_dotenv(Path.cwd() / ".env", override=True)

app = make_app(StepsOnWorkers(RetryMode.DISABLED).app_args())  # type: ignore[no-untyped-call]
execute_plan = create_task(app)
"""The one task: a step of a run, by the names of its job and its step."""

importlib.import_module("leaseup_dagster.definitions")  # once, before processes are forked
