"""A run in a process of its own that is forked, not started: it is there at once."""

import os
import sys
from collections.abc import Mapping

from dagster import DagsterInstance

from leaseup_dagster.definitions import defs


def run_job(job: str, environment: Mapping[str, str]) -> None:
    """The job with its defaults, in this environment. Exits with 1 if it fails or is stopped."""
    os.environ.clear()
    os.environ.update(environment)
    with DagsterInstance.ephemeral() as instance:
        result = defs.resolve_job_def(job).execute_in_process(
            instance=instance, raise_on_error=False
        )
    sys.exit(0 if result.success else 1)
