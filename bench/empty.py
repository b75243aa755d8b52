"""A code location whose jobs do nothing: what Dagster itself costs."""

import dagster as dg


@dg.op
def nothing() -> None:
    """Do nothing."""


@dg.op
def pass_on(before: str) -> str:
    """Do nothing, after another step."""
    return before


@dg.op
def begin() -> str:
    """Do nothing, before other steps."""
    return ""


@dg.job
def empty() -> None:
    """One step."""
    nothing()


@dg.job
def seven_steps() -> None:
    """As many steps as the morning's job has when there is nothing to bill."""
    handed = begin()
    for _ in range(6):
        handed = pass_on(handed)


defs = dg.Definitions(jobs=[empty, seven_steps], executor=dg.in_process_executor)
