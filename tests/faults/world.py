"""A small world in which everything can fail: a database behind a proxy, Paystack, Twilio, SMTP.

It serves many cells and histories, one after the other, and is emptied in between. A crash of the
product is simulated: from one instant on none of its messages is delivered.
"""

import itertools
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, text

from leaseup_dagster.as_of import JOHANNESBURG
from leaseup_dagster.database.connection import open_engine
from leaseup_dagster.database.quota import SharedQuota
from leaseup_dagster.database.url import engine_url
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.sandbox.faults import Ending, Fault, Faults, Reply
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from leaseup_dagster.sandbox.paystack_books import StoredCustomer, StoredPaymentRequest
from leaseup_dagster.sandbox.postgres import Postgres
from leaseup_dagster.sandbox.smtp import Answers, smtp_stand_in
from leaseup_dagster.sandbox.twilio import ACCOUNT, TOKEN, TwilioStandIn
from leaseup_dagster.sms.twilio import TwilioSender
from tests.databases import emptying
from tests.faults.postgres_proxy import PostgresProxy

CREATE, LIST = "POST /paymentrequest", "GET /paymentrequest"
FETCH, VERIFY = "GET /paymentrequest/:code", "GET /paymentrequest/verify/:code"
ARCHIVE = "POST /paymentrequest/archive/:code"
CREATE_CUSTOMER, FETCH_CUSTOMER = "POST /customer", "GET /customer/:code"
AT_PAYSTACK = (CREATE, LIST, FETCH, VERIFY, ARCHIVE, CREATE_CUSTOMER, FETCH_CUSTOMER)
SEND, LIST_TEXTS = "POST /Messages.json", "GET /Messages.json"
NOON = datetime(2026, 11, 5, 12, tzinfo=JOHANNESBURG)

_REMOVE_TRIGGER = "DROP FUNCTION IF EXISTS break_here CASCADE; DROP SEQUENCE IF EXISTS broken"
_SHIFT_TIMES = (
    "UPDATE leaseup_dagster.invoice_ledger SET attempted_at = attempted_at - :span",
    "UPDATE leaseup_dagster.reminder_ledger SET attempted_at = attempted_at - :span",
    "UPDATE leaseup_dagster.landlord_email SET attempted_at = attempted_at - :span",
    "UPDATE leaseup_dagster.request_quota"
    " SET next_at = next_at - extract(epoch FROM CAST(:span AS interval))",
)


class World:
    """`connection` bypasses the proxy, so no failure affects it."""

    def __init__(
        self, postgres: Postgres, name: str, template: str, pooler: int | None = None
    ) -> None:
        postgres.create_database(name, template=template)
        self.postgres, self.name = postgres, name
        self._mail = ExitStack()
        url = engine_url(postgres.url(name))
        self.proxy = PostgresProxy(pooler or Path(str(url.query["host"])))
        self._direct = create_engine(url, isolation_level="AUTOCOMMIT", pool_size=2)
        self.connection: Connection = self._direct.connect()
        self._empty = emptying(self.connection)
        self.paystack, self.twilio = PaystackStandIn(), TwilioStandIn()
        self.mail = self._mail.enter_context(smtp_stand_in())
        self._engine: Engine | None = None
        self._was_cut = False
        self._release_late: list[tuple[Fault, threading.Event]] = []
        self._paystack_is_away = False
        self.runs = itertools.count(1)

    @contextmanager
    def fresh(self) -> Iterator["World"]:
        """Empty tables and new stand-ins for one cell or history."""
        self.connection.exec_driver_sql(self._empty)
        self.mail.caught.clear()
        self.mail.answers = Answers()
        with PaystackStandIn() as self.paystack, TwilioStandIn() as self.twilio:
            try:
                yield self
            finally:
                self.heal()

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """The product's engine, through the proxy. Its connections are renewed after any was cut.
        (A new engine for each run would spend half of the time on compiling statements.)"""
        self._engine = self._engine or open_engine(self.proxy.url(self.name), connections=12)
        if self._was_cut:
            self._engine.dispose()
            self._was_cut = False
        yield self._engine

    @contextmanager
    def separate_engine(self) -> Iterator[Engine]:
        """A second engine, for a run that overlaps with another one."""
        opened = open_engine(self.proxy.url(self.name), connections=12)
        try:
            yield opened
        finally:
            opened.dispose()

    @contextmanager
    def client(self, engine: Engine, timeout_seconds: float = 5) -> Iterator[PaystackClient]:
        """The product's Paystack client."""
        with PaystackClient(
            secret_key="sk_test_sandbox",
            base_url=self.paystack.url,
            quota=SharedQuota(engine, 1_000_000),
            timeout_seconds=timeout_seconds,
            connections=10,
        ) as client:
            yield client

    def sender(self) -> TwilioSender:
        """The product's SMS sender."""
        return TwilioSender(
            base_url=self.twilio.url, account_sid=ACCOUNT, username=ACCOUNT, secret=TOKEN,
            from_number="LeaseUp",
        )  # fmt: skip

    def crash(self) -> None:
        """The product's process dies: until `heal` none of its messages is delivered."""

        def drop_requests() -> None:
            for faults, endpoints in self._all_faults():
                faults.clear()
                for endpoint in endpoints:
                    faults.on(endpoint, Fault.drop_before_accepting(), times=None)

        self.proxy.down(also=drop_requests)

    def heal(self) -> None:
        """Remove every failure, and end the database sessions whose client was cut off."""
        for fault, done in self._release_late:
            fault.release()
            if fault.arrived.is_set():
                done.wait(5)
        self._release_late.clear()
        for faults, _ in self._all_faults():
            faults.clear()
        if self._paystack_is_away:
            self.paystack.start()
            self._paystack_is_away = False
        self.proxy.heal()
        if self.proxy.orphans:
            self._was_cut = True
            ended = text("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                         " WHERE pid = ANY(:pids)")  # fmt: skip
            self.connection.execute(ended, {"pids": list(self.proxy.orphans)})
            self.proxy.orphans.clear()
        self.connection.exec_driver_sql(_REMOVE_TRIGGER)

    def stop_paystack(self) -> None:
        """Until `heal` nothing listens at Paystack's address."""
        self.paystack.stop()
        self._paystack_is_away = True

    def accept_late(self, endpoint: str) -> None:
        """Paystack does not answer one request, and accepts it at `heal`."""
        done = threading.Event()

        def end(reply: Reply) -> Ending:
            done.set()
            return reply

        fault = Fault(end, hangs="before")
        self._release_late.append((self.paystack.faults.on(endpoint, fault), done))

    def time_passes(self, **span: float) -> None:
        """Move the timestamps of our tables into the past."""
        for statement in _SHIFT_TIMES:
            self.connection.execute(text(statement), {"span": timedelta(**span)})

    def claims_appear_newer(self, **span: float) -> None:
        """Move claims into the future, as after the database's clock was set back."""
        for statement in _SHIFT_TIMES[:2]:
            self.connection.execute(text(statement), {"span": -timedelta(**span)})

    def fail_statement(self, table: str, event: str, when: str, code: str) -> None:
        """Let the next statement that makes this row change fail with SQLSTATE `code`, once.
        A rehearsal is not affected."""
        self.connection.exec_driver_sql(
            f"""
            CREATE SEQUENCE broken;
            CREATE FUNCTION break_here() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF current_setting('leaseup.rehearsal', true) IS DISTINCT FROM 'on'
                   AND nextval('public.broken') = 1 THEN
                    RAISE EXCEPTION 'broken on purpose' USING ERRCODE = '{code}';
                END IF;
                RETURN NEW;
            END $$;
            CREATE TRIGGER break_here BEFORE {event} ON {table}
                FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION break_here();
            """
        )

    def rows(self, sql: str, **values: object) -> list[tuple[object, ...]]:
        """The rows of a statement."""
        return [tuple(row) for row in self.connection.execute(text(sql), values)]

    def close(self) -> None:
        """Drop the database and close every connection."""
        self._mail.close()
        self.connection.close()
        if self._engine:
            self._engine.dispose()
        self._direct.dispose()
        self.proxy.close()
        self.postgres.drop_database(self.name)

    def _all_faults(self) -> tuple[tuple[Faults, tuple[str, ...]], ...]:
        return (self.paystack.faults, AT_PAYSTACK), (self.twilio.faults, (SEND, LIST_TEXTS))


def another_request(world: World, customer: StoredCustomer) -> StoredPaymentRequest:
    """A new payment request that concerns no month of a scenario."""
    return world.paystack._books.add(
        customer, amount=100, currency="ZAR", due_date=None, description="Another", split_code=None,
        metadata={"lease_id": "another"},
    )  # fmt: skip
