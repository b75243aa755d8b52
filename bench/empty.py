"""A code location whose jobs do nothing. It shows the cost of Dagster itself."""

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
    """As many steps as the invoicing job has when there is nothing to bill."""
    output = begin()
    for _ in range(6):
        output = pass_on(output)


defs = dg.Definitions(jobs=[empty, seven_steps], executor=dg.in_process_executor)
