"""What one step passes to the next, kept in our schema: the machines share a database, no folder.

Ids, dates and counts only, some kilobytes a step.
"""

import pickle
from typing import Any

import dagster as dg
from sqlalchemy import Engine

from leaseup_dagster.database import step_outputs


class SharedOutputs(dg.ConfigurableIOManager):
    """Outputs where every worker reaches them."""

    engine: dg.ResourceDependency[Engine]

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        with self.engine.begin() as connection:
            step_outputs.keep(connection, _name(context), pickle.dumps(obj))

    def load_input(self, context: dg.InputContext) -> Any:
        if context.upstream_output is None:
            raise ValueError("This input comes from no step.")
        name = _name(context.upstream_output)
        with self.engine.connect() as connection:
            value = step_outputs.fetch(connection, name)
        if value is None:
            raise LookupError(f"{name} was not kept, or too long ago. Launch the job anew.")
        return pickle.loads(value)  # noqa: S301 - written above; who can write there can bill


def _name(context: dg.OutputContext) -> str:
    return "/".join(context.get_identifier())
