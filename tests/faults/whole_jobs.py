"""The jobs as Dagster can find them again, which its own executor and re-execution ask for."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from leaseup_dagster.definitions import defs


def job_named(name: str) -> dg.JobDefinition:
    return defs.resolve_job_def(name)


def run_config(ops: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {"ops": {op: {"config": dict(values)} for op, values in ops.items()}}


def found_again(name: str) -> Any:
    return dg.build_reconstructable_job(__name__, "job_named", reconstructable_args=(name,))
