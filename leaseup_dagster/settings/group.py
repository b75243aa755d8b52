"""How a group of settings is read from the environment, and what is said of a wrong one."""

from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(Exception):
    """An environment variable is missing or wrong. The message names it and says what to do."""


class Group(BaseSettings):
    """Settings that belong together, read from the environment and from `.env`."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True, frozen=True)


Settings = TypeVar("Settings", bound=Group)


def load(group: type[Settings]) -> Settings:
    """Read one group of settings from the environment.

    Raises SettingsError that names every wrong variable of the group, one per line.
    """
    try:
        return group()
    except ValidationError as error:
        raise SettingsError("\n".join(_message(group, e) for e in error.errors())) from None


def _message(group: type[Group], error: Any) -> str:
    prefix = group.model_config.get("env_prefix", "")
    if not error["loc"]:  # a rule over several variables writes its own message
        return str(error["msg"]).removeprefix("Value error, ")
    variable = f"{prefix}{error['loc'][0]}".upper()
    if error["type"] == "missing":
        return f"{variable} environment variable is required"
    message = f"{variable}: {str(error['msg']).removeprefix('Value error, ')}"
    secret = "SecretStr" in str(group.model_fields[str(error["loc"][0])].annotation)
    return message if secret else f"{message} (it is {error['input']!r})"
