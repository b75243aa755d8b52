"""What an operator reads: causes distinguished, a sentence first, every line of `check` to its
end."""

import json
from datetime import date
from importlib.metadata import version

import dagster as dg
import pytest
from sqlalchemy import Connection, create_engine, text

from leaseup_dagster.database.connection import open_engine
from leaseup_dagster.database.url import engine_url
from leaseup_dagster.sandbox.builders import a_lease
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from tests.conftest import Run
from tests.recording.conftest import CHECK, Command, as_role
from tests.recording.test_refused_beforehand import failure_of


def test_check_says_it_to_a_program(command: Command, settings: pytest.MonkeyPatch) -> None:
    settings.setenv("TASK_BATCH_SIZE", "many")

    code, said = command("check", "--json")

    shown = json.loads(said)
    assert (code, shown["ok"], len(shown["lines"])) == (1, False, 9)
    (wrong,) = [line for line in shown["lines"] if not line["ok"]]
    assert "TASK_BATCH_SIZE" in wrong["said"]


def test_a_line_that_fails_in_a_way_nobody_thought_of_stops_no_other(
    command: Command, settings: pytest.MonkeyPatch
) -> None:
    settings.setenv("DAGSTER_POSTGRES_URL", "postgresql+psycopg2://u:canarysecret@h:port/d")

    code, said = command("check")

    assert (code, said.splitlines()[-1]) == (1, "1 of 9 wrong: DAGSTER_POSTGRES_URL")
    assert "Traceback" not in said
    assert "canarysecret" not in said


def test_the_version_is_told(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command("--version")
    assert capsys.readouterr().out == f"leaseup-dagster {version('leaseup-dagster')}\n"


def test_a_connection_that_is_refused_is_no_missing_customer(
    role: str, run: Run, command: Command, connection: Connection, paystack: PaystackStandIn,
    database_url: str, instance: dg.DagsterInstance,
) -> None:  # fmt: skip
    """A role with two connections: slow, and reported as what it is."""
    for _ in range(6):
        a_lease(connection, start=date(2026, 1, 1))
    connection.exec_driver_sql(f"ALTER ROLE {role} CONNECTION LIMIT 2")

    result = run(*CHECK)
    logged = [entry.user_message for entry in instance.all_logs(result.run_id)]
    said = "\n".join([*logged, *failure_of(result)])
    held = create_engine(engine_url(as_role(database_url)))
    with held.connect() as one, held.connect() as two:
        one.execute(text("SELECT 1"))
        two.execute(text("SELECT 1"))
        code, checked = command("check")
    held.dispose()

    assert "refuses one more connection" in said
    assert "No Paystack customer ID found" not in said
    assert code == 1
    assert "The database refuses one more connection" in checked


def test_an_error_is_one_sentence_without_the_statement(database_url: str) -> None:
    engine = open_engine(database_url, 1)
    with engine.connect() as connection, pytest.raises(Exception, match="relation") as error:
        connection.execute(text("SELECT secret FROM nowhere WHERE id = :id"), {"id": "Jane"})
    engine.dispose()

    said = str(error.value)
    assert said.startswith('DATABASE_URL: the database says: relation "nowhere" does not exist.')
    assert "SELECT" not in said
    assert "Jane" not in said
    assert "sqlalche.me" not in said
