"""The names by which release 0.1.0 pickled what reconciliation passes on: see `pickled`."""

from leaseup_dagster.reconciliation.windows import Window as Week
from leaseup_dagster.reconciliation.windows import WindowReport as WeekReport

__all__ = ["Week", "WeekReport"]
