"""When arrears are out of the ordinary: the ARREARS_… variables."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from leaseup_dagster.settings.group import Group


class ArrearsSettings(Group):
    """Limits of the check `arrears_in_their_usual_range`; 0: none."""

    model_config = SettingsConfigDict(env_prefix="ARREARS_")

    most_overdue_rands: int = Field(0, ge=0)
    least_share_percent: float = Field(0, ge=0, le=100)
