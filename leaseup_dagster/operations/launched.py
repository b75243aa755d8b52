"""Who launched a run, by its tags. Pure."""

from collections.abc import Mapping

LAUNCHED_BY = "leaseup/launched_by"
"""What a program puts on a run that it launches: nobody examines that run's page."""

_BY_ITSELF = (
    "dagster/schedule_name",
    "dagster/sensor_name",
    "dagster/retry_number",
    "dagster/from_automation_condition",
    "dagster/auto_materialize",
    LAUNCHED_BY,
)


def by_a_person(tags: Mapping[str, str]) -> bool:
    """Whether somebody launched the run, in the UI or in a shell, and sees what becomes of it."""
    return not any(tag in tags for tag in _BY_ITSELF)
