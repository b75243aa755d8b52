"""Three tenants without a Paystack customer, and the run that creates theirs."""

from collections import Counter
from contextlib import suppress
from datetime import date

from sqlalchemy import Engine

from leaseup_dagster.customers import missing
from leaseup_dagster.customers.registration import Kind, Outcome, Registration
from leaseup_dagster.sandbox.builders import a_landlord, a_tenant
from tests.faults.recovery import Abandoned, Heal, Scenario, run_op
from tests.faults.scenarios.invoices import TODAY
from tests.faults.world import World

TENANTS = 3


class CustomerScenario(Scenario):
    """`victim` is the tenant whose registration fails when only one does."""

    def __init__(self, world: World) -> None:
        super().__init__(world, TODAY)
        self.outcomes: list[Outcome] = []
        landlord = a_landlord(world.connection)
        self.tenants = [
            a_tenant(world.connection, landlord, email=f"tenant{number}@example.com")
            for number in range(TENANTS)
        ]
        self.victim = self.tenants[1]

    @property
    def victim_marker(self) -> str:
        """Text that only the victim's requests contain."""
        return "tenant1@example.com"

    def run_on(self, engine: Engine, as_of: date, heal: Heal | None) -> None:
        """One run; `outcomes` are those of its tenants."""
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
                run_op(register, heal)

    def codes(self) -> dict[str, str | None]:
        """The customer code that LeaseUp has for each tenant."""
        rows = self.world.rows('SELECT id, "paystackCustomerId" FROM tenant')
        return {str(tenant): str(code) if code else None for tenant, code in rows}

    def check_nothing_twice(self) -> None:
        """No e-mail address has two customers."""
        emails = Counter(customer.email for customer in self.world.paystack.customers)
        assert set(emails.values()) <= {1}, emails

    def check_others_are_registered(self) -> None:
        """I4: the other tenants have a customer after the run in which one failed."""
        assert sum(code is not None for code in self.codes().values()) >= TENANTS - 1, self.codes()

    def check_explained(self) -> None:
        """I5: the run gives a reason for each tenant without a customer."""
        explained = {outcome.tenant_id for outcome in self.outcomes if outcome.why}
        assert explained | {t for t, code in self.codes().items() if code} == set(self.tenants)

    def check(self) -> None:
        """Each tenant has the customer with their e-mail address, and there are no others."""
        self.check_nothing_twice()
        expected = {c.metadata["tenant_id"]: c.customer_code for c in self.world.paystack.customers}  # type: ignore[index]
        assert self.codes() == expected
        assert set(expected) == set(self.tenants)
