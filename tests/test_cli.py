"""The operator's commands: what they do, and what they say when a setting is wrong."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from leaseup_dagster import cli
from leaseup_dagster.database.schema import HEAD, current_revision
from leaseup_dagster.database.url import engine_url
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.sandbox.postgres import Postgres
from leaseup_dagster.settings import (
    AlertSettings,
    ArrearsSettings,
    CommunicationsSettings,
    DatabaseSettings,
    ExecutorSettings,
    MailSettings,
    PaystackSettings,
    ReminderSettings,
    RunsSettings,
    SmsSettings,
    TaskSettings,
    load,
)
from leaseup_dagster.settings.group import Group

Command = Callable[..., int]
GROUPS = (
    DatabaseSettings,
    ExecutorSettings,
    ArrearsSettings,
    MailSettings,
    PaystackSettings,
    TaskSettings,
    SmsSettings,
    ReminderSettings,
    CommunicationsSettings,
    AlertSettings,
    RunsSettings,
)
EXAMPLE = Path(__file__).parents[1] / ".env.example"


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """`command("check", "--ask-paystack")`: the exit code, run where there is no `.env`."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["leaseup-dagster", *arguments])
        return cli.main()

    return run


def code_of(command: Command, *arguments: str) -> object:
    """Also where argparse ends it."""
    try:
        return command(*arguments)
    except SystemExit as ended:
        return ended.code


@pytest.fixture
def fresh_url(postgres: Postgres, request: pytest.FixtureRequest) -> Iterator[str]:
    """LeaseUp's database before we were ever there."""
    name = f"fresh_{abs(hash(request.node.nodeid))}"
    postgres.create_leaseup(name)
    yield postgres.url(name)
    postgres.drop_database(name)


def revision(url: str) -> str | None:
    engine = create_engine(engine_url(url))
    with engine.connect() as connection:
        found = current_revision(connection)
    engine.dispose()
    return found


def test_migrate_makes_our_schema_and_says_so(
    command: Command,
    fresh_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DATABASE_URL", fresh_url)

    assert command("migrate") == 0

    assert revision(fresh_url) == HEAD
    assert f"was at nothing, migrated: revision {HEAD}" in capsys.readouterr().out


def test_migrate_twice_changes_nothing(
    command: Command, settings: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("migrate") == 0

    assert f"is up to date: revision {HEAD}" in capsys.readouterr().out


def test_a_release_that_went_back_leaves_the_newer_schema_as_it_is(
    command: Command, settings: None, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = create_engine(engine_url(database_url))
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE leaseup_dagster.alembic_version SET version_num = '9001'"
        )
    engine.dispose()

    assert (command("check"), command("migrate")) == (0, 0)

    assert revision(database_url) == "9001"
    said = capsys.readouterr().out
    assert "our schema is at 9001, by a later release than this" in said
    assert "is up to date: revision 9001" in said


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "DATABASE_URL environment variable is required"),
        ("mysql://leaseup:hunter2@localhost/leaseup", "must be LeaseUp's PostgreSQL"),
        ("postgresql://leaseup:hunter2@127.0.0.1:1/leaseup", "cannot be reached"),
    ],
)
def test_a_wrong_database_url_ends_with_one_message(
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    url: str,
    message: str,
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)

    assert command("migrate") == 1

    said = capsys.readouterr()
    assert message in said.err
    assert "hunter2" not in said.err + said.out
    assert "Traceback" not in said.err


def test_a_database_that_is_not_leaseups_is_left_alone(
    command: Command,
    postgres: Postgres,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DATABASE_URL", postgres.url("postgres"))

    assert command("migrate") == 1

    assert "does not have LeaseUp's tables" in capsys.readouterr().err
    assert revision(postgres.url("postgres")) is None


def test_env_file_wins_over_the_environment_as_in_dagsters_commands(
    fresh_url: str, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(f"DATABASE_URL='{fresh_url}'\n")
    exported = {**os.environ, "DATABASE_URL": "postgresql://127.0.0.1:1/exported"}

    done = subprocess.run(
        [Path(sys.executable).with_name("leaseup-dagster"), "migrate"],
        cwd=tmp_path, env=exported, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert revision(fresh_url) == HEAD


def test_check_says_that_all_is_well(
    command: Command, settings: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("check", "--ask-paystack") == 0

    *lines, last = capsys.readouterr().out.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    assert (len(lines), last) == (10, "all 10 right")


def test_check_names_everything_that_is_wrong(
    command: Command,
    settings: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings.setenv("DAGSTER_POSTGRES_URL", "postgresql://localhost/dagster")
    settings.setenv("PAYSTACK_SECRET_KEY", "pk_test_sandbox")
    settings.setenv("TASK_BATCH_SIZE", "many")
    settings.setenv("SMS_ENABLED", "true")

    assert command("check") == 1

    lines = capsys.readouterr().out.splitlines()
    wrong = [line for line in lines if line.startswith("wrong")]
    assert len(wrong) == 4
    names = "DAGSTER_POSTGRES_URL, PAYSTACK_SECRET_KEY, TASK_BATCH_SIZE, SMS_PROVIDER"
    assert lines[-1] == f"4 of 9 wrong: {names}"
    assert "DAGSTER_POSTGRES_URL: must be written postgresql+psycopg2://" in wrong[0]
    assert "PAYSTACK_SECRET_KEY: must be a secret key" in wrong[1]
    assert "TASK_BATCH_SIZE" in wrong[2]
    assert "SMS configuration missing: SMS_PROVIDER" in wrong[3]


def test_check_changes_nothing(
    command: Command, fresh_url: str, settings: pytest.MonkeyPatch, paystack: PaystackStandIn
) -> None:
    settings.setenv("DATABASE_URL", fresh_url)

    assert command("check") == 0

    assert revision(fresh_url) is None
    assert paystack.requests == []


def test_check_finds_out_that_paystack_refuses_the_key(
    command: Command, settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.setenv("PAYSTACK_SECRET_KEY", "sk_test_of_somebody_else")

    assert command("check", "--ask-paystack") == 1

    said = capsys.readouterr().out
    assert "wrong  Paystack API error 401" in said
    assert said.splitlines()[-1] == "1 of 10 wrong: PAYSTACK_SECRET_KEY"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("bill",),
        ("explain",),
        ("explain", "l", "--as-of", "2026-13-01"),
        ("explain", "nobody"),
        ("communications",),
        ("communications", "--lease", "l", "--from", "soon"),
        ("communications", "--lease", "l", "--to", "soon"),
        ("communications", "--lease", "l", "--from", "2026-02-01", "--to", "2026-01-01"),
        ("communications", "--lease", "nobody"),
        ("arrears", "--as-of", "soon"),
        ("invoices",),
        ("invoices", "--from", "2026-02-01", "--to", "2026-01-01"),
        ("payments", "--from", "2026-01-01", "--landlord", "nobody"),
        ("grants", "--role", "nobody", "--lacking"),
    ],
)
def test_what_is_typed_wrong_ends_with_2_and_says_why(
    command: Command,
    settings: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
) -> None:
    assert code_of(command, *arguments) == 2

    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.strip()
    assert "Traceback" not in said.err


def test_a_typing_slip_is_found_before_a_setting_is_missed(command: Command) -> None:
    assert code_of(command, "explain", "l", "--as-of", "soon") == 2
    assert code_of(command, "communications", "--lease", "l", "--from", "soon") == 2
    assert code_of(command, "explain", "l") == 1


def example() -> dict[str, str]:
    """Every variable of `.env.example`, commented out or not."""
    lines = (line.removeprefix("# ") for line in EXAMPLE.read_text().splitlines())
    pairs = (line.partition("=") for line in lines)
    return {
        name: value for name, is_set, value in pairs if is_set and re.fullmatch(r"[A-Z_]+", name)
    }


def test_env_example_has_every_setting() -> None:
    settings = {
        f"{group.model_config.get('env_prefix', '')}{name}".upper()
        for group in GROUPS
        for name in group.model_fields
    }

    assert set(example()) == settings | {"DAGSTER_POSTGRES_URL"}


@pytest.mark.parametrize(
    "group", [TaskSettings, ReminderSettings, AlertSettings, ArrearsSettings, RunsSettings]
)
def test_env_example_shows_the_defaults(
    group: type[Group], monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = load(group)
    for name, value in example().items():
        monkeypatch.setenv(name, value)

    assert load(group) == defaults
