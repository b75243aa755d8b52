"""Reconstructable jobs, which Dagster's multiprocess executor and re-execution need."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from leaseup_dagster.definitions import defs


def resolve_job(name: str) -> dg.JobDefinition:
    """A job of the code location."""
    return defs.resolve_job_def(name)


def run_config(ops: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The run config of a job, from the config of its ops."""
    return {"ops": {op: {"config": dict(values)} for op, values in ops.items()}}


def reconstructable_job(name: str) -> Any:
    """A job that other processes can load by its name."""
    return dg.build_reconstructable_job(__name__, "resolve_job", reconstructable_args=(name,))
