"""The names by which release 0.1.0 pickled what cancel_invoice passes on: see `pickled`."""

from leaseup_dagster.invoicing.ledger.cancelling import CancellationTarget as Undoing
from leaseup_dagster.invoicing.ledger.cancelling import Chosen

__all__ = ["Chosen", "Undoing"]
