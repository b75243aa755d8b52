"""The protocol: find a tenant's customer at Paystack or make it, and keep its code.

Paystack answers a known e-mail address with the existing customer, so that asking twice is
harmless: after a crash it is simply asked again.
"""

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from leaseup_dagster.batching import how_far
from leaseup_dagster.customers import missing, outdated, rehearsal
from leaseup_dagster.customers.addresses import what_is_wrong
from leaseup_dagster.customers.missing import Registrant
from leaseup_dagster.database import complaints
from leaseup_dagster.database.recording import Recording
from leaseup_dagster.database.rehearsal import require
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.paystack.errors import KeyRejected, NotFound, NotSent, PaystackError, Refused
from leaseup_dagster.paystack.models import Customer, NewCustomer, normal_email
from leaseup_dagster.sms.phone_numbers import PhoneProblem, to_e164
from leaseup_dagster.stopping import in_flight

_ABOUT_THE_TENANT = (400, 422)
"""Statuses that judge what was sent. Any other 4xx is about the key or the address: a tenant
must not be remembered for that."""


class Kind(Enum):
    """What became of one tenant."""

    REGISTERED = "registered"
    OVERTAKEN = "overtaken"  # registered by somebody else, or changed, meanwhile
    REFUSED = "refused"  # until its data change
    NOT_ALLOWED = "not allowed"  # whoever the tenant is; not remembered
    FAILED = "failed"  # worth another try
    BROKEN = "broken"  # our own side failed: worth another try, and no fault of the tenant's
    STOPPED = "stopped"  # the run was asked to stop, or its time is up
    KEY_REJECTED = "key rejected"  # no request works until the setting is right


@dataclass(frozen=True)
class Outcome:
    """What became of one tenant's customer, and why."""

    tenant_id: str
    kind: Kind
    why: str | None = None
    customer_code: str | None = None


class _SomebodyElse(Exception):
    """Paystack answered with a customer of another e-mail address."""


@dataclass(frozen=True)
class Registration:
    """Registers tenants; safe to use from many threads, processes and machines at once."""

    engine: Engine
    paystack: PaystackClient
    recording: Recording = field(default_factory=Recording)

    def register_all(
        self,
        tenant_ids: Sequence[str],
        *,
        width: int,
        seconds: float,
        on_progress: Callable[[str], None] | None = None,
    ) -> list[Outcome]:
        """Those of the tenants that need it, `width` at once, for so many seconds. While it lasts
        `on_progress` is called with the number done.

        One bad tenant stops no other. Tenants without an outcome were left as they are. Raises
        CannotRecord, and asks nobody, if a customer could not be kept.
        """
        if seconds <= 0:
            return []
        with self.engine.connect() as connection:
            todo = missing.registrants(connection, tenant_ids)
        if todo:
            require(self.engine, rehearsal.registered(todo[0]))
        began, addresses = time.monotonic(), _by_email(todo)

        def tell_done(done: int) -> None:
            if on_progress:
                said = how_far(done, len(addresses), done, time.monotonic() - began)
                on_progress(f"Paystack customers: {said}")

        done = in_flight(
            self.register,
            addresses,
            width=width,
            stop=self.paystack.stop,
            seconds=seconds,
            on_progress=tell_done,
        )
        return [outcome for outcomes in done for outcome in outcomes]

    def let_go_of_unknown(self, tenant_ids: Sequence[str]) -> list[str]:
        """Those of the tenants whose customer Paystack does not know under this key, or knows by
        another e-mail address: they are left without one.

        Raises PaystackError where it cannot be asked.
        """
        with self.engine.connect() as connection:
            having = outdated.customers_of(connection, tenant_ids)
        codes = {
            tenant_id: code for tenant_id, code, email in having if not self._is_of(code, email)
        }
        with self.engine.begin() as connection:
            outdated.let_go(connection, codes)
        return sorted(codes)

    def _is_of(self, code: str, email: str) -> bool:
        try:
            customer = self.paystack.fetch_customer(code)
        except NotFound:
            return False
        return not customer.email or normal_email(customer.email) == normal_email(email)

    def register(self, sharing: Sequence[Registrant]) -> list[Outcome]:
        """Tenants of one e-mail address, one after the other. Never raises.

        Whatever Paystack would do with two requests at once, all get the same customer.
        """
        outcomes: list[Outcome] = []
        for registrant in sharing:
            known = next((o.customer_code for o in outcomes if o.customer_code), None)
            hold = self.recording.hold
            held = Outcome(registrant.tenant_id, Kind.BROKEN, hold) if hold else None
            outcomes.append(held or self._safely(registrant, known))
        return outcomes

    def _safely(self, registrant: Registrant, known: str | None) -> Outcome:
        tenant_id = registrant.tenant_id
        try:
            return self._register(registrant, known)
        except NotSent:
            return Outcome(tenant_id, Kind.STOPPED)
        except PaystackError as error:
            return Outcome(tenant_id, _kind_of(error), _anonymous(error, registrant))
        except _SomebodyElse as error:
            return Outcome(tenant_id, Kind.NOT_ALLOWED, str(error.__doc__))
        except Exception as error:  # the row's own data must not reach a log with the message
            said = complaints.in_words(error) if isinstance(error, DBAPIError) else ""
            return Outcome(tenant_id, Kind.BROKEN, said or type(error).__name__)

    def _register(self, registrant: Registrant, known: str | None) -> Outcome:
        wrong = what_is_wrong(registrant.email)
        if wrong:
            return self._refuse(registrant, f"its e-mail address is malformed: {wrong}")
        try:
            code = known or self._customer_of(registrant).customer_code
        except Refused as error:
            if error.status not in _ABOUT_THE_TENANT:
                raise
            return self._refuse(registrant, _anonymous(error, registrant))
        with self.recording.of_one(), self.engine.begin() as connection:
            stored = missing.store_customer(connection, registrant, code)
            if stored:
                outdated.remember(connection, registrant.tenant_id)
        kind = Kind.REGISTERED if stored else Kind.OVERTAKEN
        return Outcome(registrant.tenant_id, kind, customer_code=code)

    def _customer_of(self, registrant: Registrant) -> Customer:
        try:
            customer = self.paystack.create_customer(_request(registrant))
        except Refused as error:
            # Not how Paystack answers today, as far as is known; nowhere promised either.
            if error.status != 409 and "already exist" not in error.message.lower():
                raise
            customer = self.paystack.fetch_customer(registrant.email)
        if customer.email and normal_email(customer.email) != normal_email(registrant.email):
            raise _SomebodyElse
        return customer

    def _refuse(self, registrant: Registrant, why: str) -> Outcome:
        with self.engine.begin() as connection:
            missing.remember_refusal(connection, registrant, why)
        return Outcome(registrant.tenant_id, Kind.REFUSED, why)


def _kind_of(error: PaystackError) -> Kind:
    if isinstance(error, KeyRejected):
        return Kind.KEY_REJECTED
    return Kind.NOT_ALLOWED if isinstance(error, Refused) else Kind.FAILED


def _by_email(todo: Iterable[Registrant]) -> list[list[Registrant]]:
    groups: dict[str, list[Registrant]] = {}
    for registrant in todo:
        groups.setdefault(normal_email(registrant.email), []).append(registrant)
    return list(groups.values())


def _request(registrant: Registrant) -> NewCustomer:
    phone = to_e164(registrant.phone)
    return NewCustomer(
        email=registrant.email,
        first_name=registrant.first_name,
        last_name=registrant.last_name,
        # One that cannot be read is left out: a customer is found by its e-mail address.
        phone=None if isinstance(phone, PhoneProblem) else phone,
        metadata={"tenant_id": registrant.tenant_id, "source": "leaseup"},
    )


def _anonymous(error: PaystackError, registrant: Registrant) -> str:
    """What Paystack says, without the tenant's names; the rest the error has left out itself."""
    said = str(error)
    for name in (registrant.first_name, registrant.last_name):
        if len(name.strip()) > 1:
            said = re.sub(rf"\b{re.escape(name.strip())}\b", "[name]", said, flags=re.IGNORECASE)
    return said
