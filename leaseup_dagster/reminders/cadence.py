"""The name by which release 0.1.0 pickled part of what reminders pass on: see `pickled`."""

from leaseup_dagster.reminders.keys import LastText

__all__ = ["LastText"]
