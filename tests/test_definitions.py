"""The code location as Dagster and a person see it."""

import re
import subprocess
import sys
import warnings

import dagster as dg
import pytest

from leaseup_dagster.customers.jobs import tenants_without_customer
from leaseup_dagster.definitions import defs
from leaseup_dagster.labels import FOR, RUN_TAGS


def test_everything_a_job_needs_is_there() -> None:
    dg.Definitions.validate_loadable(defs)


def test_it_loads_without_any_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is said when a run starts: a broken code location shows nobody anything."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert {job.name for job in defs.jobs or []} >= {
            "check_upcoming_invoices",
            "create_invoice",
            "preview_upcoming_invoices",
        }


def test_what_few_runs_need_is_not_loaded_with_the_code() -> None:
    """Each would cost every process of every job; `bench.cold_start` measures it."""
    heavy = (
        "alembic", "apprise", "boto3", "celery", "dagster_celery", "dagster_k8s", "httpx",
        "phonenumbers", "twilio",
    )  # fmt: skip
    code = (
        "import sys, leaseup_dagster.definitions;"
        f" print(*(name for name in {heavy} if name in sys.modules))"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True)
    assert loaded.stdout.split() == []


def test_every_job_op_and_schedule_says_what_it_does() -> None:
    for job in defs.jobs or []:
        assert job.description, job.name
        for node in getattr(job, "nodes", ()):  # an asset job has checks instead
            assert node.definition.description, node.name
        assert job.tags.items() >= RUN_TAGS.items()
    for schedule in defs.schedules or []:
        assert schedule.description, schedule.name


def test_every_job_is_in_the_group_a_person_looks_for_it_in() -> None:
    """By what starts it, so that a run that is found by the tag is what it says."""
    by_itself = {schedule.job_name for schedule in defs.schedules or []}
    for job in defs.jobs or []:
        group = (job.tags or {})[FOR]
        assert group in ("daily", "weekly", "manual", "read only"), job.name
        if group in ("manual", "read only"):
            assert job.name not in by_itself - {"send_daily_digest"}, job.name
        if group == "weekly":
            assert job.name in by_itself, job.name


def test_every_asset_says_by_what_it_is_made() -> None:
    """Its page calls it external, and knows of no automation."""
    starts = {one.name: one.job_name for one in defs.schedules or []}
    starts["tenants_without_customer"] = tenants_without_customer.job_name
    crons = {schedule.name: str(schedule.cron_schedule) for schedule in defs.schedules or []}
    for asset in defs.assets or []:
        said = asset.description or ""
        if asset.key.to_user_string() == "leaseup_tables":  # LeaseUp's
            continue
        found = re.match(r"Made by (\w+), .+?\((schedule|sensor) (\w+)\)", said, re.DOTALL)
        assert found, asset.key
        assert starts[found[3]] == found[1]
        if found[2] == "schedule":
            minute, hour = crons[found[3]].split()[:2]
            assert f"every day at {int(hour):02}:{int(minute):02} SAST" in said


def test_every_field_of_a_runs_config_is_explained() -> None:
    for job in defs.jobs or []:
        for op in (node.definition for node in getattr(job, "nodes", ())):
            schema = op.config_schema.as_field() if op.config_schema else None
            for name, field in getattr(schema and schema.config_type, "fields", {}).items():
                assert field.description, f"{op.name}.{name}"


def test_every_check_says_what_it_holds() -> None:
    for checks in defs.asset_checks or []:
        for spec in checks.check_specs:
            assert spec.description, spec.name
