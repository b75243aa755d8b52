"""`leaseup-dagster run`: a real run in Dagster's storage, a few lines, and the sentence last."""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Connection, text

from leaseup_dagster.sandbox.builders import a_landlord, a_lease, a_tenant, a_unit
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn

pytestmark = pytest.mark.faults

CHECK = {"ops": {"plan_invoices": {"config": {"as_of": "2026-11-24"}}}}
PROGRAM = Path(sys.executable).with_name("leaseup-dagster")


@dataclass
class Ended:
    code: int
    lines: list[str]
    err: str

    @property
    def last(self) -> str:
        """Of all that a terminal shows: what is on stderr comes after the rest."""
        return (self.err.splitlines() or self.lines)[-1]


class Shell:
    """A folder with a DAGSTER_HOME that outlives its processes."""

    def __init__(self, folder: Path) -> None:
        self.home, self.folder = folder / "home", folder
        self.home.mkdir()
        (self.home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        environment = {**os.environ, "DAGSTER_HOME": str(self.home)}
        return subprocess.Popen(
            [PROGRAM, "run", *arguments], cwd=self.folder, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *arguments: str) -> Ended:
        return self.ended(self.start(*arguments))

    def ended(self, child: "subprocess.Popen[str]") -> Ended:
        out, err = child.communicate(timeout=90)
        return Ended(child.returncode, out.splitlines(), err)

    def runs(self) -> list[dg.DagsterRun]:
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            return list(instance.get_runs())


@pytest.fixture
def shell(settings: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def leases(connection: Connection, paystack: PaystackStandIn) -> None:
    """Twenty-five, of one tenant with a customer: three batches."""
    landlord = a_landlord(connection)
    code = paystack.add_customer("thabo@example.com").customer_code
    tenant = a_tenant(connection, landlord, paystackCustomerId=code)
    for _ in range(25):
        home = a_unit(connection, landlord)
        a_lease(connection, start=date(2026, 1, 1), landlord=landlord, unit=home, tenants=[tenant])


def test_it_tells_how_far_it_is_and_last_what_came_of_it(
    shell: Shell, leases: None, connection: Connection, tmp_path: Path
) -> None:
    (tmp_path / "check.yaml").write_text("ops: {plan_invoices: {config: {as_of: 2026-11-24}}}\n")

    done = shell.run("check_upcoming_invoices", "--config", "check.yaml")

    assert (done.code, done.err) == (0, "")
    assert "Invoicing as of 2026-11-24: 25 invoices for R212 500.00" in done.last
    began, *lines = done.lines
    assert all(re.match(r"\d\d:\d\d:\d\d SAST  ", line) for line in lines)
    assert [line.split(": ")[0][15:] for line in lines if "Batch" in line] == [
        "Batch 1 of 3", "Batch 2 of 3", "Batch 3 of 3",
    ]  # fmt: skip
    assert len(lines) < 25
    (run,) = shell.runs()
    assert began == f"Run {run.run_id} of check_upcoming_invoices"
    assert run.is_success
    assert run.tags["dagster/max_runtime"] == "300"
    assert connection.execute(text("SELECT count(*) FROM invoice")).scalar() == 25


def test_of_a_look_every_line_is_shown(shell: Shell, leases: None) -> None:
    asked = {"ops": {"preview_invoices": {"config": {"as_of": "2026-11-24"}}}}

    done = shell.run("preview_upcoming_invoices", "--config", json.dumps(asked))

    assert done.code == 0
    assert len([line for line in done.lines if line[15:].startswith("Would bill ")]) == 25 + 1
    assert "lines more" not in "".join(done.lines)


def test_a_failure_ends_on_the_sentence_that_helps(
    shell: Shell, leases: None, settings: pytest.MonkeyPatch
) -> None:
    settings.setenv("PAYSTACK_SECRET_KEY", "sk_test_of_somebody_else")

    done = shell.run("check_upcoming_invoices", "--config", json.dumps(CHECK))

    assert done.code == 1
    assert "Invalid key" in done.last
    assert "Traceback" not in done.err
    assert not [line for line in done.lines if "Dependencies for step" in line]
    (run,) = shell.runs()
    assert run.status is dg.DagsterRunStatus.FAILURE


def test_a_wrong_setting_ends_on_its_sentence(shell: Shell, settings: pytest.MonkeyPatch) -> None:
    settings.setenv("TASK_BATCH_SIZE", "many")

    done = shell.run("check_upcoming_invoices")

    assert (done.code, done.last.partition(":")[0]) == (1, "TASK_BATCH_SIZE")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_sends_nothing_more_and_says_so(
    shell: Shell, leases: None, connection: Connection, paystack: PaystackStandIn,
    number: signal.Signals,
) -> None:  # fmt: skip
    slow = Fault.hang_after_accepting()
    paystack.faults.on_create(slow)
    child = shell.start("check_upcoming_invoices", "--config", json.dumps(CHECK))
    assert slow.arrived.wait(60)

    child.send_signal(number)
    slow.release()
    done = shell.ended(child)

    assert done.code == 1
    assert done.last.startswith("The run was asked to stop.")
    sent = len(paystack.requests_to("POST /paymentrequest"))
    ledger = "SELECT count(*) FROM leaseup_dagster.invoice_ledger WHERE state = 'invoiced'"
    assert connection.execute(text(ledger)).scalar() == sent < 25
    (run,) = shell.runs()
    assert run.is_finished


def test_a_slip_that_only_the_run_can_find_exits_with_2(shell: Shell) -> None:
    asked = {"ops": {"plan_one_invoice": {"config": {"lease_id": "lease-plian"}}}}

    done = shell.run("create_invoice", "--config", json.dumps(asked))

    assert done.code == 2
    assert done.last.startswith("There is no lease 'lease-plian' in LeaseUp.")


OF_LEASE = '{"ops": {"plan_one_invoice": {"config": %s}}}'


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bill"], "There is no job 'bill'. There are: audit_books, cancel_invoice, "),
        (["__ASSET_JOB"], "There is no job '__ASSET_JOB'"),
        (["create_invoice"], "Missing required config entry \"ops\" at the root"),
        (["create_invoice", "--config", OF_LEASE % "{}"], "\"lease_id\" at ops.plan_one_invoice."),
        (["create_invoice", "--config", OF_LEASE % '{"lease_id": 3}'], "expected type \"String\""),
        (["create_invoice", "--config", OF_LEASE % '{"lease_id": "l", "day": "x"}'],
         '"day" at ops.plan_one_invoice.config. Known there: as_of, due_date, lease_id, rebill.'),
        (["explain_lease", "--config", "nowhere.yaml"], "--config nowhere.yaml: cannot be read"),
        (["explain_lease", "--config", '{"ops":'], "--config: is neither YAML nor JSON"),
        (["explain_lease", "--config", __file__], "is neither YAML nor JSON"),
    ],
)  # fmt: skip
def test_what_is_typed_wrong_is_named_before_anything_runs(
    settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    arguments: list[str], said: str,
) -> None:  # fmt: skip
    from leaseup_dagster import cli

    settings.chdir(tmp_path)
    settings.setattr(sys, "argv", ["leaseup-dagster", "run", *arguments])

    assert cli.main() == 2

    found: Any = capsys.readouterr()
    assert said in found.err
    assert "Traceback" not in found.err
    assert found.out == ""


def test_a_storage_that_is_away_is_named_without_its_password(
    shell: Shell, settings: pytest.MonkeyPatch
) -> None:
    url = "postgresql+psycopg2://dagster:hunter2@127.0.0.1:1/dagster"
    settings.setenv("DAGSTER_POSTGRES_URL", url)
    (shell.home / "dagster.yaml").write_text(
        "storage: {postgres: {postgres_url: {env: DAGSTER_POSTGRES_URL}}}\n"
    )

    done = shell.run("audit_books")

    assert done.code == 1
    assert done.last.startswith("DAGSTER_POSTGRES_URL: cannot be reached")
    assert "hunter2" not in done.err
    assert "Traceback" not in done.err
