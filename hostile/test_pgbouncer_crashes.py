"""A run that is killed at each step of the protocol, through PgBouncer: the same tests."""

import pytest

from tests.invoicing.conftest import *  # noqa: F403 - the same scenes
from tests.invoicing.creation.test_crashes import *  # noqa: F403 - the same tests


@pytest.fixture
def settings(settings: pytest.MonkeyPatch, through: str) -> pytest.MonkeyPatch:
    settings.setenv("DATABASE_URL", through)
    return settings
