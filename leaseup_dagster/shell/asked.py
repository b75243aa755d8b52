"""What a person asked for, before anything runs: which job, and with which config."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from dagster_shared.yaml_utils import load_run_config_yaml


class WrongJob(Exception):
    """No such job, or a config that it does not take. The message says what there is instead."""


def read_config(given: str) -> dict[str, Any]:
    """A run's config: from JSON, or from a file of YAML or JSON; empty if nothing is given.

    Raises WrongJob.
    """
    if not given.strip():
        return {}
    written = given.lstrip().startswith("{")
    named = "--config" if written else f"--config {given}"
    try:
        found: Any = load_run_config_yaml(given if written else Path(given).read_text("utf-8"))
    except OSError as error:
        raise WrongJob(f"{named}: cannot be read ({error.strerror}).") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise WrongJob(f"{named}: is neither YAML nor JSON.") from None
    if not isinstance(found, dict | None):
        raise WrongJob(f"{named}: must begin with ops: and the name of a step.")
    return found or {}


def checked_job(name: str, known: Sequence[str]) -> str:
    """The name. Raises WrongJob that lists those there are."""
    if name not in known:
        raise WrongJob(f"There is no job {name!r}. There are: {', '.join(sorted(known))}.")
    return name


def check_config(job: dg.JobDefinition, config: Mapping[str, Any]) -> None:
    """Raises WrongJob that says what the job's steps do not take, and what they do."""
    try:
        dg.validate_run_config(job, dict(config))
    except dg.DagsterInvalidConfigError as error:
        wrong = " ".join(_in_words(one.message) for one in error.errors)
        raise WrongJob(f"The config of {job.name} is wrong. {wrong}") from None


def _in_words(said: str) -> str:
    """Dagster's sentence, without the types of everything that it expects."""
    what, _, expected = said.partition(" Expected: ")
    for noise, instead in _NOISE:
        what = noise.sub(instead, what)
    names = _names(expected)
    return f"{what} Known there: {', '.join(names)}." if names else what


_NOISE = (
    (re.compile(r"at path root:(\S+)"), lambda found: f"at {found[1].replace(':', '.')}"),
    (re.compile(r" You must provide (this value|these values) in your run config\."), ""),
    (re.compile(r" of type \"<class '\w+'>\""), ""),
)


def _names(expected: str) -> list[str]:
    """The fields of `"{ as_of?: String ops: { … } }"`, not those within them."""
    depth, names = 0, []
    for brace, name in re.findall(r"([{}])|(\w+)\??:", expected):
        depth += {"{": 1, "}": -1}.get(brace, 0)
        if name and depth == 1:
            names.append(name)
    return names
