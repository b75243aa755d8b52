"""A whole working world on loopback: PostgreSQL, Paystack, Twilio, Dagster's home; no keys.

    with a_world() as world:
        portfolio.lay_out(world, today)
        world.execute("check_upcoming_invoices")

It lives in a temporary folder. On the way out, also after Ctrl-C, SIGTERM or an error, every
process is stopped and the folder deleted.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

import leaseup_dagster
from leaseup_dagster.database.connection import open_engine
from leaseup_dagster.database.mode import remember_mode
from leaseup_dagster.sandbox import twilio as twilio_stand_in
from leaseup_dagster.sandbox.leaseup_app import LeaseUpApp
from leaseup_dagster.sandbox.mail_page import MailPage
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.sandbox.postgres import embedded_postgres
from leaseup_dagster.sandbox.processes import Children, stopping_on_signals
from leaseup_dagster.sandbox.smtp import SmtpStandIn, smtp_stand_in
from leaseup_dagster.sandbox.twilio import TwilioStandIn

PACKAGE_PARENT = Path(leaseup_dagster.__file__).parents[1]
DAGSTER_YAML = PACKAGE_PARENT / "dagster.yaml"

_WITHOUT_A_CHECKOUT = """\
storage: {postgres: {postgres_url: {env: DAGSTER_POSTGRES_URL}}}
telemetry: {enabled: false}
"""

_WORKSPACE = """\
load_from:
  - python_module:
      module_name: leaseup_dagster.definitions
      location_name: leaseup_dagster
"""

# Everything else of the caller's shell stays outside: a live key must not get in.
_LET_IN = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "TERM", "LD_LIBRARY_PATH")

_NO_TAGS: Mapping[str, str] = {}


@dataclass(frozen=True)
class World:
    """What runs, and how to run something in it."""

    folder: Path
    paystack: PaystackStandIn
    twilio: TwilioStandIn
    app: LeaseUpApp
    mail: SmtpStandIn
    mail_page: MailPage
    engine: Engine
    children: Children
    dagster_url: str

    @property
    def log(self) -> Path:
        """Everything Dagster's commands print."""
        return self.folder / "dagster.log"

    @property
    def working_directory(self) -> Path:
        """Where commands run. Its `.env` is the world's, so they work in any shell from there."""
        return self.folder / "work"

    @property
    def dagster_home(self) -> Path:
        return self.folder / "dagster_home"

    @property
    def workspace(self) -> Path:
        """For Dagster's commands that serve: -w."""
        return self.folder / "workspace.yaml"

    def dagster(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start one of Dagster's commands; what it prints goes to `log`."""
        return self.children.start([sys.executable, "-m", "dagster", *arguments], self.log)

    def log_tail(self, lines: int = 60) -> str:
        """The last of what Dagster printed."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def execute(self, job: str, ops: Mapping[str, Any], tags: Mapping[str, str] = _NO_TAGS) -> bool:
        """Run a job as an operator does on the command line, `ops` being op → config.

        Whether it succeeded. Raises KeyboardInterrupt when we are asked to stop meanwhile.
        """
        config = self.folder / f"{job}.json"  # which is YAML, too
        config.write_text(json.dumps({"ops": {op: {"config": c} for op, c in ops.items()}}))
        module = ("-m", "leaseup_dagster.definitions")
        # With it the job's own page in the UI counts the run, too.
        seen = {".dagster/repository": "__repository__@leaseup_dagster", **tags}
        given = ("-j", job, "-c", str(config), "--tags", json.dumps(seen))
        run = self.dagster("job", "execute", *module, *given)
        return self.children.wait(run) == 0


@contextmanager
def a_world(dagster_yaml: Path = DAGSTER_YAML, **settings: str) -> Iterator[World]:
    """A world with LeaseUp's tables and ours, empty, and Dagster as `dagster_yaml` sets it up.

    `settings` are variables that the product is to find in its environment, too.
    """
    with ExitStack() as stack:
        stopped = stack.enter_context(stopping_on_signals())
        folder = Path(tempfile.mkdtemp(prefix="leaseup-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        leaseup_url, dagster_url = stack.enter_context(_databases(folder / "postgres"))
        paystack = stack.enter_context(PaystackStandIn())
        twilio = stack.enter_context(TwilioStandIn())
        engine = open_engine(leaseup_url, connections=4)
        stack.callback(engine.dispose)
        app = stack.enter_context(LeaseUpApp(engine))
        paystack.webhook_url = app.webhook_url
        mail = stack.enter_context(smtp_stand_in())
        mail_page = stack.enter_context(MailPage(mail))
        remember_mode(engine, "test")  # from the first moment on no live key fits this database
        ours = {
            **_settings(leaseup_url, paystack, twilio, mail),
            "DAGSTER_HOME": str(folder / "dagster_home"),
            "DAGSTER_POSTGRES_URL": dagster_url,
            # The code that made this world also runs in it, wherever it was started from.
            "PYTHONPATH": str(PACKAGE_PARENT),
            "PYTHONWARNINGS": "ignore",
            "TMPDIR": str(folder / "work"),  # what is interrupted leaves nothing elsewhere
            **settings,
        }
        _furnish(folder, dagster_yaml, ours)
        shell = {name: os.environ[name] for name in _LET_IN if name in os.environ}
        children = Children(stopped, folder / "work", shell | ours)
        stack.callback(children.end_all)
        yield World(folder, paystack, twilio, app, mail, mail_page, engine, children, dagster_url)


@contextmanager
def _databases(folder: Path) -> Iterator[tuple[str, str]]:
    with embedded_postgres(folder) as server:
        server.create_leaseup("leaseup")
        server.create_database("dagster")
        yield server.url("leaseup"), server.url("dagster", "+psycopg2")


def _settings(
    leaseup_url: str, paystack: PaystackStandIn, twilio: TwilioStandIn, mail: SmtpStandIn
) -> dict[str, str]:
    return {
        "DATABASE_URL": leaseup_url,
        "PAYSTACK_SECRET_KEY": "sk_test_sandbox",
        "PAYSTACK_BASE_URL": paystack.url,
        "PAYSTACK_RATE_LIMIT": "1000000",  # a demo has no minute to spare
        "SMS_ENABLED": "true",
        "SMS_PROVIDER": "twilio",
        "SMS_API_KEY": twilio_stand_in.ACCOUNT,
        "SMS_API_SECRET": twilio_stand_in.TOKEN,
        "SMS_FROM_NUMBER": "+27600000000",
        "TWILIO_BASE_URL": twilio.url,
        "REMINDER_QUIET_HOURS": "00:00-00:00",  # the same at any hour
        "LANDLORD_EMAILS_ENABLED": "true",
        "SMTP_URL": mail.url(),
        "EMAIL_FROM": "LeaseUp <rent@leaseup.example>",
    }


def _furnish(folder: Path, dagster_yaml: Path, variables: Mapping[str, str]) -> None:
    home, work = folder / "dagster_home", folder / "work"
    home.mkdir()
    work.mkdir()
    known = dagster_yaml.read_text() if dagster_yaml.exists() else _WITHOUT_A_CHECKOUT
    (home / "dagster.yaml").write_text(known)
    (folder / "workspace.yaml").write_text(_WORKSPACE)
    lines = (f"{name}='{value}'\n" for name, value in variables.items())
    (work / ".env").write_text("".join(lines))
