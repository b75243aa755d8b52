"""A code location with one job that does nothing: what Dagster itself costs."""

import dagster as dg


@dg.op
def nothing() -> None:
    """Do nothing."""


@dg.job
def empty() -> None:
    """One step."""
    nothing()


defs = dg.Definitions(jobs=[empty], executor=dg.in_process_executor)
