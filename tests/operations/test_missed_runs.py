"""A morning without a successful run is alerted, once a day, until there is one again."""

from datetime import datetime, timedelta, timezone

import dagster as dg
import pytest

from leaseup_dagster.operations.jobs import evaluate_missed_morning
from leaseup_dagster.operations.missed_runs import Watch, watch
from leaseup_dagster.sandbox.twilio import TwilioStandIn
from tests.conftest import Run
from tests.operations.conftest import PHONE

CHECK = "check_upcoming_invoices"


class Ticks:
    """The sensor as the daemon calls it, at hours from now, with its cursor."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._cursor: str | None = None
        self._began = datetime.now(tz=timezone.utc)

    def __call__(self, hours: float) -> None:
        context = dg.build_sensor_context(instance=self._instance, cursor=self._cursor)
        evaluate_missed_morning(context, self._began + timedelta(hours=hours))
        self._cursor = context.cursor


def texts(twilio: TwilioStandIn) -> int:
    return len(twilio.texts_to(PHONE))


def test_a_run_that_never_came_is_told_after_26_hours_and_once_a_day(
    operators: object, twilio: TwilioStandIn, instance: dg.DagsterInstance
) -> None:
    tick = Ticks(instance)

    for hours, texted in [(0, 0), (25.9, 0), (26.1, 1), (27, 1), (50, 1), (50.2, 2)]:
        tick(hours)
        assert texts(twilio) == texted, f"after {hours} hours"
    assert "Its last success: never" in twilio.texts_to(PHONE)[0]


def test_a_success_ends_the_silence(
    operators: object, twilio: TwilioStandIn, run: Run, instance: dg.DagsterInstance
) -> None:
    tick = Ticks(instance)
    tick(-30)
    assert run(CHECK).success

    tick(0.1)
    tick(25)
    assert texts(twilio) == 0
    tick(26.5)
    assert texts(twilio) == 1


def test_runs_that_fail_are_no_success(
    operators: pytest.MonkeyPatch, twilio: TwilioStandIn, instance: dg.DagsterInstance
) -> None:
    from leaseup_dagster.definitions import defs

    operators.setenv("PAYSTACK_SECRET_KEY", "no key")
    tick = Ticks(instance)
    tick(-1)
    defs.resolve_job_def(CHECK).execute_in_process(instance=instance, raise_on_error=False)

    tick(27)

    assert "1 of its runs failed since" in twilio.texts_to(PHONE)[0]


@pytest.mark.parametrize("cursor", ["", "{}", "nothing", '{"since": 1, "told_at": null}', None])
def test_a_cursor_that_nobody_can_read_begins_anew(cursor: str | None) -> None:
    now = datetime(2026, 11, 24, 7, tzinfo=timezone.utc)

    assert watch(cursor, now) == Watch(since=now)
