"""report_arrears: what a person sees of it, and when it warns."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Connection

from leaseup_dagster.arrears.jobs import arrears_at_half_past_nine
from leaseup_dagster.as_of import JOHANNESBURG
from leaseup_dagster.sandbox.builders import a_landlord
from tests.arrears.test_summary import billed

Run = Callable[..., dg.ExecuteInProcessResult]


def report(run: Run) -> tuple[dict[str, Any], dg.AssetCheckEvaluation]:
    """The asset's metadata as plain values, and its check."""
    result = run("report_arrears", {"add_up_arrears": {"as_of": "2026-11-10"}})
    assert result.success
    (made,) = result.asset_materializations_for_node("add_up_arrears")
    (check,) = result.get_asset_check_evaluations()
    return {name: value.value for name, value in made.metadata.items()}, check


def test_numbers_tables_and_a_picture(run: Run, connection: Connection) -> None:
    landlord = a_landlord(connection)
    billed(connection, landlord, date(2026, 11, 1))
    billed(connection, landlord, date(2026, 8, 1), dueAmount=1000.5)

    found, check = report(run)

    assert found["overdue rands"] == 9500.5
    assert found["over 90 days rands"] == 1000.5
    assert found["tenants late"] == 2
    assert found["share collected percent"] == 0.0
    assert f"| {landlord} |" in found["report"]
    assert "R9 500.50 overdue by 2 tenants of 1 landlords" in found["report"]
    assert found["picture"].startswith("![Arrears by age and by month](data:image/svg+xml;base64,")
    assert check.passed


@pytest.mark.parametrize(
    ("setting", "value", "passes"),
    [
        ("ARREARS_MOST_OVERDUE_RANDS", "8500", True),
        ("ARREARS_MOST_OVERDUE_RANDS", "8499", False),
        ("ARREARS_LEAST_SHARE_PERCENT", "50", True),
        ("ARREARS_LEAST_SHARE_PERCENT", "50.5", False),
    ],
)
def test_it_warns_when_a_limit_is_passed(
    run: Run,
    connection: Connection,
    settings: pytest.MonkeyPatch,
    setting: str,
    value: str,
    passes: bool,
) -> None:
    landlord = a_landlord(connection)
    billed(connection, landlord, date(2026, 11, 1))
    billed(connection, landlord, date(2026, 10, 1), status="PAID")
    settings.setenv(setting, value)

    _, check = report(run)

    assert check.passed is passes
    assert check.severity is dg.AssetCheckSeverity.WARN


def test_it_is_made_after_the_reminders_every_day() -> None:
    tick = datetime(2026, 11, 10, 9, 30, tzinfo=JOHANNESBURG)

    request = arrears_at_half_past_nine(dg.build_schedule_context(scheduled_execution_time=tick))

    assert request.run_config == {"ops": {"add_up_arrears": {"config": {"as_of": "2026-11-10"}}}}


def test_the_assets_tell_the_story_in_their_order() -> None:
    from leaseup_dagster.definitions import defs

    graph = defs.resolve_asset_graph()
    names = [key.to_user_string() for key in graph.toposorted_asset_keys]

    assert names == [
        "leaseup_tables", "paystack_customers", "invoices", "payment_requests", "reminders",
        "arrears", "landlord_emails",
    ]  # fmt: skip
