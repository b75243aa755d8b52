"""`leaseup-dagster`: what an operator does outside Dagster. Each command is a function below.

Reads `.env` in the working directory as Dagster's own commands do: it wins over the environment.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from sqlalchemy import Select
from sqlalchemy.exc import DBAPIError

from leaseup_dagster.as_of import parse_date, resolve_as_of
from leaseup_dagster.database import complaints
from leaseup_dagster.database.connection import open_engine
from leaseup_dagster.database.grants import NoSuchRole, least
from leaseup_dagster.database.session import session_engine
from leaseup_dagster.database.url import engine_url
from leaseup_dagster.explanation import timeline
from leaseup_dagster.explanation.timeline import Rules, UnknownLease
from leaseup_dagster.explanation.words import as_json, as_text
from leaseup_dagster.exports import rows, stream
from leaseup_dagster.exports.stream import CannotList
from leaseup_dagster.operations import checkup
from leaseup_dagster.operations.checkup import database_url, schema_revision
from leaseup_dagster.paystack.errors import PaystackError
from leaseup_dagster.reminders.communications import export
from leaseup_dagster.reminders.communications.export import NothingToExport
from leaseup_dagster.settings import ReminderSettings, SettingsError, TaskSettings, load


class WrongInput(Exception):
    """What was typed cannot be meant. The message says what to type instead."""


def migrate(_: argparse.Namespace) -> int:
    """Bring this product's own tables up to date. LeaseUp's are not touched."""
    before = schema_revision()
    # Opening the engine migrates what is behind.
    open_engine(database_url(), connections=1).dispose()
    now = schema_revision()
    done = "is up to date" if before == now else f"was at {before or 'nothing'}, migrated"
    print(f"Schema leaseup_dagster {done}: revision {now}.")
    return 0


def check(arguments: argparse.Namespace) -> int:
    """Say for each setting and for the database whether it is right. Changes nothing."""
    lines = []
    for line in checkup.run_checks(ask_paystack=arguments.ask_paystack):
        lines.append(line)
        if not arguments.json:
            print(line, flush=True)
    if arguments.json:
        right = all(line.ok for line in lines)
        print(json.dumps({"ok": right, "lines": [line.as_json() for line in lines]}, indent=2))
    else:
        print(checkup.in_words(lines))
    return 0 if all(line.ok for line in lines) else 1


def run(arguments: argparse.Namespace) -> int:
    """Run a job here and now, with progress. The last thing printed is what came of it, or what
    to do."""
    # Loaded here: Dagster and every job take seconds, which no other command needs.
    from leaseup_dagster.shell import run as shell  # noqa: PLC0415
    from leaseup_dagster.shell.asked import WrongJob  # noqa: PLC0415

    try:
        code, said = shell.run(arguments.job, arguments.config, _log)
    except WrongJob as error:
        raise WrongInput(str(error)) from None
    if said:
        print(said, file=sys.stderr if code else sys.stdout, flush=True)
    return code


def _log(line: str) -> None:
    print(line, flush=True)


def grants(arguments: argparse.Namespace) -> int:
    """Print as SQL the least that the user of DATABASE_URL, or another role, must be allowed."""
    engine = session_engine(engine_url(database_url()), hide_parameters=True)
    try:
        with engine.connect() as connection:
            found = least(connection, arguments.role, only_lacking=arguments.lacking)
    finally:
        engine.dispose()
    print(found)
    return 0


def explain(arguments: argparse.Namespace) -> int:
    """Print one lease's whole timeline. Changes nothing."""
    as_of = _day(arguments.as_of, "--as-of")
    engine = open_engine(database_url(), connections=2)
    try:
        lease_timeline = timeline.load(
            engine,
            Rules(load(TaskSettings), load(ReminderSettings)),
            arguments.lease_id,
            as_of,
            ask_paystack=arguments.ask_paystack,
        )
    finally:
        engine.dispose()
    if arguments.json:
        print(json.dumps(as_json(lease_timeline), indent=2))
    else:
        print(as_text(lease_timeline.headline, lease_timeline.sections()))
    return 0


def communications(arguments: argparse.Namespace) -> int:
    """Print every text about a lease or a landlord as CSV: when, what, and how it ended."""
    first, last = _days(arguments)
    engine = open_engine(database_url(), connections=1)
    try:
        with engine.connect() as connection:
            found = export.texts(
                connection,
                lease_id=arguments.lease or "",
                landlord_id=arguments.landlord or "",
                first=first,
                last=last,
            )
    finally:
        engine.dispose()
    export.write(found, sys.stdout)
    if not found:
        print("0 texts", file=sys.stderr)
    return 0


def arrears(arguments: argparse.Namespace) -> int:
    """Print what is owed at the end of a day, an invoice a line, as CSV or JSON."""
    as_of = _day(arguments.as_of, "--as-of")
    return _export(arguments, rows.ARREARS, rows.arrears_rows(as_of, arguments.landlord))


def invoices(arguments: argparse.Namespace) -> int:
    """Print every invoice made from one day to another, as CSV or JSON."""
    first, last = _days(arguments)
    return _export(arguments, rows.INVOICES, rows.invoice_rows(first, last, arguments.landlord))


def payments(arguments: argparse.Namespace) -> int:
    """Print every payment made from one day to another, and what each adds to the sum."""
    first, last = _days(arguments)
    return _export(arguments, rows.PAYMENTS, rows.payment_rows(first, last, arguments.landlord))


def _days(arguments: argparse.Namespace) -> tuple[date, date]:
    first, last = _day(arguments.first, "--from"), _day(arguments.last, "--to")
    if first > last:
        raise WrongInput(f"--from {first} is after --to {last}.")
    return first, last


def _day(given: str, name: str) -> date:
    """Empty: today in Johannesburg. Raises WrongInput."""
    try:
        return parse_date(given, name) if given else resolve_as_of("")
    except ValueError as error:
        raise WrongInput(str(error)) from None


def _export(arguments: argparse.Namespace, columns: Sequence[str], asked: Select[Any]) -> int:
    engine = open_engine(database_url(), connections=1)
    try:
        stream.export(
            engine,
            arguments.act.__name__,
            columns,
            asked,
            landlord=arguments.landlord,
            as_json=arguments.format == "json",
            to=sys.stdout,
        )
    finally:
        engine.dispose()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="leaseup-dagster",
        description="What an operator does outside Dagster. Settings are read from .env in the"
        " working directory, which wins, and from the environment.",
    )
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {version('leaseup-dagster')}"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(act: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        added = commands.add_parser(act.__name__, help=act.__doc__, description=act.__doc__)
        added.set_defaults(act=act)
        return added

    command(migrate)
    checking = command(check)
    checking.add_argument(
        "--ask-paystack", action="store_true", help="also ask Paystack whether it takes the key"
    )
    checking.add_argument("--json", action="store_true", help="for a program that watches it")
    running = command(run)
    running.add_argument("job", metavar="JOB", help="such as preview_upcoming_invoices")
    running.add_argument(
        "--config",
        default="",
        metavar="FILE_OR_JSON",
        help="the run's config: a file of YAML or JSON, or JSON itself",
    )
    granting = command(grants)
    granting.add_argument("--role", default="", metavar="NAME", help="default: of DATABASE_URL")
    granting.add_argument("--lacking", action="store_true", help="only what the role has not yet")
    explaining = command(explain)
    explaining.add_argument("lease_id", metavar="LEASE_ID")
    explaining.add_argument("--as-of", default="", metavar="YYYY-MM-DD", help="default: today")
    explaining.add_argument(
        "--ask-paystack", action="store_true", help="also ask Paystack about its payment requests"
    )
    explaining.add_argument("--json", action="store_true", help="for a program")
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
    for act in (arrears, invoices, payments):
        filing = command(act)
        filing.add_argument("--landlord", default="", metavar="LANDLORD_ID", help="default: all")
        filing.add_argument("--format", choices=("csv", "json"), default="csv")
        if act is arrears:
            day = "YYYY-MM-DD"
            filing.add_argument("--as-of", default="", metavar=day, help="default: today")
            continue
        filing.add_argument("--from", dest="first", required=True, metavar="YYYY-MM-DD")
        filing.add_argument(
            "--to", dest="last", default="", metavar="YYYY-MM-DD", help="last day; default: today"
        )
    return parser


def main() -> int:
    """The exit code: 0 if all is well, 1 with a message that says what to do, 2 for what was typed
    wrong."""
    arguments = _parser().parse_args()
    variables = dotenv_values(Path.cwd() / ".env")
    os.environ.update({name: value for name, value in variables.items() if value is not None})
    try:
        return int(arguments.act(arguments))
    except BrokenPipeError:  # whoever read it, such as `head`, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (WrongInput, UnknownLease, NothingToExport, CannotList, NoSuchRole) as error:
        print(error, file=sys.stderr)
        return 2
    except (SettingsError, PaystackError, ValueError) as error:
        print(error, file=sys.stderr)
    except DBAPIError as error:
        print(complaints.in_words(error), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
