"""How much a run takes on, whom it bills, and where its steps are executed."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from leaseup_dagster.settings.group import Group

_STATUSES = {
    "ACTIVE", "NON_RENEWING", "ATTENTION", "DISABLED", "COMPLETED", "CANCELLED",
    "TRIAL_ACTIVE", "TRIAL_EXPIRED",
}  # fmt: skip


def _subscription_statuses(text: str) -> str:
    unknown = {part.strip() for part in text.split(",") if part.strip()} - _STATUSES
    if unknown:
        raise ValueError(
            f"unknown status {', '.join(sorted(unknown))}; known: {', '.join(sorted(_STATUSES))}"
        )
    return text


class TaskSettings(Group):
    """How much a run takes on, and whom it bills."""

    model_config = SettingsConfigDict(env_prefix="TASK_")

    batch_size: int = Field(10, ge=1, le=100)
    check_days_ahead: int = Field(50, ge=0, le=365)
    max_new_invoices: int = Field(1000, ge=1)
    # Dagster ends a run after 300 seconds: the tag on each job says so.
    max_duration_seconds: int = Field(300, ge=10, le=300)
    landlord_statuses: Annotated[str, NoDecode, AfterValidator(_subscription_statuses)] = ""

    @property
    def served_landlord_statuses(self) -> tuple[str, ...]:
        """Landlord subscription statuses that are billed; empty means all, also none at all."""
        return tuple(part.strip() for part in self.landlord_statuses.split(",") if part.strip())

    @property
    def taking_seconds(self) -> float:
        """Seconds from its start in which a run begins new work.

        The rest is for what is in flight, and the report: at most the last minute.
        """
        return self.max_duration_seconds - min(60.0, 0.2 * self.max_duration_seconds)


class ExecutorSettings(Group):
    """Where the steps of a run are executed, and how they get there."""

    task_executor: Literal["in_process", "multiprocess", "celery", "k8s"] = "in_process"
    celery_broker_url: SecretStr | None = None
    celery_result_backend: SecretStr | None = None
    celery_lost_after_seconds: int = Field(270, ge=1)

    @property
    def many_machines(self) -> bool:
        """Whether steps share no folder."""
        return self.task_executor in ("celery", "k8s")

    @property
    def result_backend(self) -> SecretStr | None:
        """Where the answers come back: Redis can do both, RabbitMQ has a way of its own."""
        if self.celery_result_backend or self.celery_broker_url is None:
            return self.celery_result_backend
        redis = self.celery_broker_url.get_secret_value().startswith("redis")
        return self.celery_broker_url if redis else SecretStr("rpc://")

    @model_validator(mode="after")
    def _check(self) -> "ExecutorSettings":
        if self.task_executor == "celery" and self.celery_broker_url is None:
            raise ValueError("CELERY_BROKER_URL environment variable is required by celery")
        return self
