"""Three tenants without a Paystack customer, and the run that makes theirs."""

from collections import Counter
from contextlib import suppress
from datetime import date

from sqlalchemy import Engine

from leaseup_dagster.customers import missing
from leaseup_dagster.customers.registration import Kind, Outcome, Registration
from leaseup_dagster.sandbox.builders import a_landlord, a_tenant
from tests.faults.invoices import TODAY
from tests.faults.recovery import Abandoned, Heal, step
from tests.faults.world import World

TENANTS = 3


class Registrations:
    """A scene. `victim` is the tenant to whom it happens when it happens to one."""

    def __init__(self, world: World) -> None:
        self.world, self.day = world, TODAY
        self.timeout_seconds = 5.0
        self.outcomes: list[Outcome] = []
        landlord = a_landlord(world.connection)
        self.tenants = [
            a_tenant(world.connection, landlord, email=f"tenant{number}@example.com")
            for number in range(TENANTS)
        ]
        self.victim = self.tenants[1]

    @property
    def only_the_victim(self) -> str:
        return "tenant1@example.com"

    def run(self, as_of: date, heal: Heal | None) -> None:
        with self.world.engine() as engine:
            self.run_on(engine, heal)

    def run_beside(self) -> None:
        with self.world.another_engine() as engine:
            self.run_on(engine, lambda: None)

    def run_on(self, engine: Engine, heal: Heal | None) -> None:
        self.outcomes = []
        with self.world.client(engine, self.timeout_seconds) as client:
            registration = Registration(engine, client)

            def register() -> bool:
                with engine.begin() as connection:
                    found = missing.tenants_to_register(connection, (), 100)
                outcomes = registration.register_all(found, width=10, seconds=60)
                self.outcomes += outcomes
                return any(outcome.kind is Kind.FAILED for outcome in outcomes)

            with suppress(Abandoned):
                step(register, heal)

    def codes(self) -> dict[str, str | None]:
        rows = self.world.rows('SELECT id, "paystackCustomerId" FROM tenant')
        return {str(tenant): str(code) if code else None for tenant, code in rows}

    def check_nothing_twice(self) -> None:
        emails = Counter(customer.email for customer in self.world.paystack.customers)
        assert set(emails.values()) <= {1}, emails

    def check_others_are_registered(self) -> None:
        """I4: whom nothing happened to has a customer after the run in which it happened."""
        assert sum(code is not None for code in self.codes().values()) >= TENANTS - 1, self.codes()

    def check_explained(self) -> None:
        """I5: who has none is named by the run, or refused with a reason that is kept."""
        explained = {outcome.tenant_id for outcome in self.outcomes if outcome.why}
        assert explained | {t for t, code in self.codes().items() if code} == set(self.tenants)

    def check(self) -> None:
        """Each has the customer with its own e-mail address, and there are no others."""
        self.check_nothing_twice()
        mine = {c.metadata["tenant_id"]: c.customer_code for c in self.world.paystack.customers}  # type: ignore[index]
        assert self.codes() == mine
        assert set(mine) == set(self.tenants)
