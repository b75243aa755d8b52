"""The two databases, and how long Dagster's keeps what a run did."""

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from leaseup_dagster.settings.group import Group


class DatabaseSettings(Group):
    """LeaseUp's PostgreSQL."""

    database_url: SecretStr


class DagsterSettings(Group):
    """Dagster's own storage, which `dagster.yaml` reads."""

    dagster_postgres_url: SecretStr

    @model_validator(mode="after")
    def _check(self) -> "DagsterSettings":
        if not self.dagster_postgres_url.get_secret_value().startswith("postgresql+psycopg2://"):
            raise ValueError(
                "DAGSTER_POSTGRES_URL: must be written"
                " postgresql+psycopg2://user:password@host/database"
            )
        return self


class RunsSettings(Group):
    """How long Dagster's own storage keeps what a run did. The ledgers keep it for ever."""

    model_config = SettingsConfigDict(env_prefix="RUNS_")

    retention_days: int = Field(400, ge=8)
