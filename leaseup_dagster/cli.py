"""`leaseup-dagster`: what an operator does outside Dagster. Each command is a function below.

Reads `.env` in the working directory as Dagster's own commands do: it wins over the environment.
"""

import argparse
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from dotenv import dotenv_values
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError

from leaseup_dagster.as_of import parse_date, resolve_as_of
from leaseup_dagster.database import schema
from leaseup_dagster.database.connection import check as check_database
from leaseup_dagster.database.connection import engine_url, open_engine
from leaseup_dagster.database.session import session_engine
from leaseup_dagster.explanation import story
from leaseup_dagster.explanation.story import Rules, UnknownLease
from leaseup_dagster.explanation.words import as_text
from leaseup_dagster.operations.channels import channels
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.paystack.errors import KeyRejected, PaystackError, Refused
from leaseup_dagster.reminders import export
from leaseup_dagster.settings import (
    AlertSettings,
    DagsterSettings,
    DatabaseSettings,
    ExecutorSettings,
    PaystackSettings,
    ReminderSettings,
    SettingsError,
    SmsSettings,
    TaskSettings,
    load,
)

Value = TypeVar("Value")


def migrate(_: argparse.Namespace) -> int:
    """Bring this product's own tables up to date. LeaseUp's are not touched."""
    before = _schema_revision()
    # Opening the engine migrates what is behind.
    open_engine(_database_url(), connections=1).dispose()
    now = _schema_revision()
    done = "is up to date" if before == now else f"was at {before or 'nothing'}, migrated"
    print(f"Schema leaseup_dagster {done}: revision {now}.")
    return 0


def check(arguments: argparse.Namespace) -> int:
    """Say for each setting and for the database whether it is right. Changes nothing."""
    checks: list[Callable[[], str]] = [
        _database, _dagster, _paystack, _tasks, _executor, _sms, _reminders, _alerts,
    ]  # fmt: skip
    if arguments.ask_paystack:
        checks.append(_paystack_answers)
    wrong = 0
    for one in checks:
        try:
            print(f"ok     {one()}")
        except (SettingsError, PaystackError) as error:
            wrong += 1
            print(f"wrong  {error}".replace("\n", "\n       "))
    return 1 if wrong else 0


def explain(arguments: argparse.Namespace) -> int:
    """Print one lease's whole story. Changes nothing."""
    engine = open_engine(_database_url(), connections=2)
    try:
        told = story.tell(
            engine,
            Rules(load(TaskSettings), load(ReminderSettings)),
            arguments.lease_id,
            resolve_as_of(arguments.as_of),
            ask_paystack=arguments.ask_paystack,
        )
    finally:
        engine.dispose()
    print(as_text(told.headline, told.sections()))
    return 0


def communications(arguments: argparse.Namespace) -> int:
    """Print every text about a lease or a landlord as CSV: when, what, and how it ended."""
    engine = open_engine(_database_url(), connections=1)
    try:
        with engine.connect() as connection:
            rows = export.texts(
                connection,
                lease_id=arguments.lease or "",
                landlord_id=arguments.landlord or "",
                first=parse_date(arguments.first, "--from"),
                last=resolve_as_of(arguments.last),
            )
    finally:
        engine.dispose()
    export.write(rows, sys.stdout)
    return 0


def _database() -> str:
    revision = _schema_revision()
    if revision is not None and revision > schema.HEAD:
        return f"Database: LeaseUp's; our schema is at {revision}, by a later release than this"
    if revision != schema.HEAD:
        at = f"at {revision}" if revision else "not there"
        return f"Database: LeaseUp's; our schema is {at}, the next run brings it to {schema.HEAD}"
    return f"Database: LeaseUp's, our schema is at {revision}"


def _dagster() -> str:
    url = load(DagsterSettings).dagster_postgres_url.get_secret_value()
    engine = create_engine(url, hide_parameters=True, connect_args={"connect_timeout": 10})
    try:
        engine.connect().close()
    except DBAPIError as error:
        why = str(error.orig).strip().splitlines()[0]
        raise SettingsError(f"DAGSTER_POSTGRES_URL: cannot be reached ({why})") from None
    finally:
        engine.dispose()
    return "Dagster's storage: reached"


def _paystack() -> str:
    paystack = load(PaystackSettings)
    mode = "LIVE" if paystack.live else "test"
    return (
        f"Paystack: {mode} mode, {paystack.requests_per_minute} requests a minute and endpoint,"
        f" at {paystack.base_url}"
    )


def _tasks() -> str:
    tasks = load(TaskSettings)
    return (
        f"Tasks: {tasks.check_days_ahead} days ahead, {tasks.batch_size} at once, at most"
        f" {tasks.max_new_invoices} new invoices, landlords"
        f" {', '.join(tasks.served_landlord_statuses) or 'of any status'}"
    )


def _executor() -> str:
    return f"Executor: {load(ExecutorSettings).task_executor}"


def _sms() -> str:
    sms = load(SmsSettings)
    if not sms.sms_enabled:
        return "SMS: off; reminders are planned and logged, not sent"
    return f"SMS: on, through {sms.sms_provider}"


def _reminders() -> str:
    reminders = load(ReminderSettings)
    return (
        f"Reminders: after {reminders.after_days} days, then every {reminders.repeat_days}, at most"
        f" {reminders.max}; quiet {reminders.quiet_hours}"
    )


def _alerts() -> str:
    settings = load(AlertSettings)
    found = channels(settings)
    if wrong := [channel.wrong for channel in found if channel.wrong]:
        raise SettingsError("\n".join(wrong))
    names = [channel.name for channel in found]
    if not names:
        return "Alerts: nobody is told of failed runs; set ALERT_SMS_NUMBERS or ALERT_URLS"
    return f"Alerts: {', '.join(names)}; silence after {settings.silence_hours} hours"


class _NoQuota:
    """A person's single question needs no turn."""

    def reserve(self, endpoint: str) -> float:
        return 0

    def learn(self, endpoint: str, requests_per_minute: int) -> None: ...

    def pause(self, endpoint: str, seconds: float) -> None: ...


def _paystack_answers() -> str:
    """One question that changes nothing, for a customer that nobody has."""
    paystack = load(PaystackSettings)
    with PaystackClient(
        secret_key=paystack.secret_key.get_secret_value(),
        base_url=paystack.base_url,
        quota=_NoQuota(),
        timeout_seconds=paystack.timeout_seconds,
        connections=1,
        stop=threading.Event(),
    ) as client:
        try:
            client.fetch_customer("CUS_leaseup_dagster_check")
        except KeyRejected:
            raise
        except Refused:  # it was read, so the key was taken
            pass
    return "Paystack answers and takes the key"


def _database_url() -> str:
    return load(DatabaseSettings).database_url.get_secret_value()


def _schema_revision() -> str | None:
    """The revision of our schema, None where it is not there. Changes nothing.

    Raises SettingsError when the database cannot be reached or is not LeaseUp's.
    """
    engine = session_engine(engine_url(_database_url()), hide_parameters=True)
    try:
        return check_database(engine)
    finally:
        engine.dispose()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="leaseup-dagster",
        description="What an operator does outside Dagster. Settings are read from .env in the"
        " working directory, which wins, and from the environment.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(act: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        added = commands.add_parser(act.__name__, help=act.__doc__, description=act.__doc__)
        added.set_defaults(act=act)
        return added

    command(migrate)
    command(check).add_argument(
        "--ask-paystack", action="store_true", help="also ask Paystack whether it takes the key"
    )
    explaining = command(explain)
    explaining.add_argument("lease_id", metavar="LEASE_ID")
    explaining.add_argument("--as-of", default="", metavar="YYYY-MM-DD", help="default: today")
    explaining.add_argument(
        "--ask-paystack", action="store_true", help="also ask Paystack about its payment requests"
    )
    exporting = command(communications)
    whose = exporting.add_mutually_exclusive_group(required=True)
    whose.add_argument("--lease", metavar="LEASE_ID")
    whose.add_argument("--landlord", metavar="LANDLORD_ID")
    exporting.add_argument(
        "--from", dest="first", default="2000-01-01", metavar="YYYY-MM-DD", help="first day"
    )
    exporting.add_argument(
        "--to", dest="last", default="", metavar="YYYY-MM-DD", help="last day; default: today"
    )
    return parser


def main() -> int:
    """The exit code: 0 if all is well, 1 with a message that says what to do."""
    arguments = _parser().parse_args()
    variables = dotenv_values(Path.cwd() / ".env")
    os.environ.update({name: value for name, value in variables.items() if value is not None})
    try:
        return int(arguments.act(arguments))
    except (SettingsError, PaystackError, UnknownLease, ValueError) as error:
        print(error, file=sys.stderr)
    except DBAPIError as error:
        print(f"DATABASE_URL: the database said: {error.orig}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
