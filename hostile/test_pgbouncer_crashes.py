"""Runs that are killed at each step of the protocol: the same tests, through PgBouncer."""

import pytest

from tests.invoicing.conftest import *  # noqa: F403 - the same fixtures
from tests.invoicing.creation.test_crashes import *  # noqa: F403 - the same tests


@pytest.fixture
def settings(settings: pytest.MonkeyPatch, through: str) -> pytest.MonkeyPatch:
    """The environment of a run, with the pooler's URL."""
    settings.setenv("DATABASE_URL", through)
    return settings
