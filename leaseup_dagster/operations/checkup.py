"""What `leaseup-dagster check` examines, one line each: every group of settings, both databases.

Changes nothing. A line never keeps the next one from being examined, whatever it finds.
"""

import re
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass

from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from leaseup_dagster.as_of import resolve_as_of
from leaseup_dagster.customers import missing
from leaseup_dagster.customers import rehearsal as of_customers
from leaseup_dagster.database import complaints, schema
from leaseup_dagster.database.connection import check as check_database
from leaseup_dagster.database.rehearsal import rehearse
from leaseup_dagster.database.session import session_engine
from leaseup_dagster.database.url import engine_url, unknown_parameters
from leaseup_dagster.invoicing import rehearsal as of_invoices
from leaseup_dagster.landlords.letter import Letters
from leaseup_dagster.mail.sender import Accepted, SmtpSender
from leaseup_dagster.operations.channels import channels
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.paystack.errors import KeyRejected, PaystackError, Refused
from leaseup_dagster.reminders import rehearsal as of_reminders
from leaseup_dagster.settings import (
    AlertSettings,
    DagsterSettings,
    DatabaseSettings,
    ExecutorSettings,
    MailSettings,
    PaystackSettings,
    ReminderSettings,
    SettingsError,
    SmsSettings,
    TaskSettings,
    load,
)

_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")


@dataclass(frozen=True)
class Line:
    """One thing that was examined; `said` is what it is, or what is wrong and what to do."""

    name: str
    ok: bool
    said: str

    def __str__(self) -> str:
        said = self.said.replace("\n", "\n       ")
        return f"ok     {said}" if self.ok else f"wrong  {said}"

    def variables(self) -> list[str]:
        """Those that `said` names: the first of each of its lines, or all that are missing."""
        named = []
        for line in self.said.splitlines():
            before, missing, listed = line.partition("missing: ")
            named += _VARIABLE.findall(listed) if missing else _VARIABLE.findall(before)[:1]
        return named

    def as_json(self) -> dict[str, object]:
        """The line as `check --json` prints it."""
        return asdict(self)


def run_checks(*, ask_paystack: bool) -> Iterator[Line]:
    """Each line as soon as it is known."""
    lines: dict[str, Callable[[], str]] = {
        "database": _database,
        "dagster": dagster_storage,
        "paystack": _paystack,
        "tasks": _tasks,
        "executor": _executor,
        "sms": _sms,
        "reminders": _reminders,
        "alerts": _alerts,
        "landlords": _landlords,
    }
    if ask_paystack:
        lines["paystack answers"] = _paystack_answers
    for name, find in lines.items():
        yield _line(name, find)


def in_words(lines: Iterable[Line]) -> str:
    """The last word: how many are wrong, and which variables are to be examined."""
    found = list(lines)
    wrong = [line for line in found if not line.ok]
    if not wrong:
        return f"all {len(found)} right"
    names = dict.fromkeys(name for line in wrong for name in line.variables() or [line.name])
    return f"{len(wrong)} of {len(found)} wrong: {', '.join(names)}"


def _line(name: str, find: Callable[[], str]) -> Line:
    try:
        return Line(name, True, find())
    except (SettingsError, PaystackError) as error:
        return Line(name, False, str(error))
    except DBAPIError as error:
        return Line(name, False, complaints.in_words(error))
    except Exception as error:  # its message may quote a secret
        kind = type(error).__name__
        return Line(name, False, f"{name}: could not be examined ({kind}). Please report this.")


def schema_revision() -> str | None:
    """The revision of our schema, None where it is not there. Changes nothing.

    Raises SettingsError when the database cannot be reached or is not LeaseUp's.
    """
    engine = session_engine(engine_url(database_url()), hide_parameters=True)
    try:
        return check_database(engine)
    finally:
        engine.dispose()


def database_url() -> str:
    """The URL of LeaseUp's database. Raises SettingsError."""
    return load(DatabaseSettings).database_url.get_secret_value()


def _database() -> str:
    url = database_url()
    engine = session_engine(engine_url(url), hide_parameters=True)
    try:
        revision = check_database(engine)
        said = [_state_of(revision)]
        if revision is not None and revision >= schema.HEAD:
            said.append(_rehearsed(engine))
    finally:
        engine.dispose()
    if unknown := unknown_parameters(url):
        said.append(f"not used of DATABASE_URL: {', '.join(unknown)}")
    return "; ".join(said)


def _rehearsed(engine: Engine) -> str:
    """Everything that a run records. Raises SettingsError that lists all that would be refused."""
    with engine.connect() as connection:
        waiting = missing.registrants(connection, missing.tenants_to_register(connection, [], 1))
    today = resolve_as_of("")
    stage = rehearse(
        engine,
        of_customers.registered(waiting[0] if waiting else of_customers.NOBODY),
        of_invoices.invoiced(today),
        of_invoices.paid(today),
        of_invoices.cancelled(today),
        of_reminders.texted(today),
    )
    if stage.refused:
        raise SettingsError("\n".join(dict.fromkeys(stage.refused)))
    notes = f" ({'; '.join(dict.fromkeys(stage.notes))})" if stage.notes else ""
    return f"what a run records was rehearsed and rolled back{notes}"


def _state_of(revision: str | None) -> str:
    if revision is not None and revision > schema.HEAD:
        return f"Database: LeaseUp's; our schema is at {revision}, by a later release than this"
    if revision != schema.HEAD:
        at = f"at {revision}" if revision else "not there"
        return f"Database: LeaseUp's; our schema is {at}, the next run brings it to {schema.HEAD}"
    return f"Database: LeaseUp's, our schema is at {revision}"


def dagster_storage() -> str:
    """That Dagster's own database answers. Raises SettingsError that names its variable."""
    url = load(DagsterSettings).dagster_postgres_url.get_secret_value()
    try:
        engine = create_engine(url, hide_parameters=True, connect_args={"connect_timeout": 10})
    except (SQLAlchemyError, ValueError):
        raise SettingsError(
            "DAGSTER_POSTGRES_URL: must be written"
            " postgresql+psycopg2://user:password@host/database"
        ) from None
    try:
        engine.connect().close()
    except DBAPIError as error:
        why = (str(error.orig).strip().splitlines() or [type(error.orig).__name__])[0]
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
        f" {reminders.max}; quiet {reminders.quiet_hours} SAST"
    )


def _alerts() -> str:
    settings = load(AlertSettings)
    found = channels(settings)
    if wrong := [channel.wrong for channel in found if channel.wrong]:
        raise SettingsError("\n".join(wrong))
    names = [channel.name for channel in found]
    if not names:
        return "Alerts: nobody is alerted of failed runs; set ALERT_SMS_NUMBERS or ALERT_URLS"
    return f"Alerts: {', '.join(names)}; silence after {settings.silence_hours} hours"


class _NoQuota:
    """A person's single question needs no slot."""

    def reserve(self, endpoint: str) -> float:
        return 0

    def give_back(self, endpoint: str) -> None: ...

    def learn(self, endpoint: str, requests_per_minute: int) -> None: ...

    def pause(self, endpoint: str, seconds: float) -> None: ...


def _landlords() -> str:
    """Speaks to the mail server, up to a message."""
    mail = load(MailSettings)
    if not mail.landlord_emails_enabled:
        return "Landlords: LANDLORD_EMAILS_ENABLED is false; they get no e-mail"
    Letters(mail)
    outcome = SmtpSender(mail.smtp_url.get_secret_value()).try_out()
    if not isinstance(outcome, Accepted):
        raise SettingsError(getattr(outcome, "why", "SMTP_URL: no answer"))
    to = "one address, LANDLORD_EMAILS_TO" if mail.landlord_emails_to else "each landlord"
    return f"Landlords: the mail server answers; one e-mail a day at most to {to}"


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
        except Refused:  # it was read, so the key was accepted
            pass
    return "Paystack answers and takes the key"
