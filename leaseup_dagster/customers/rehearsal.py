"""What registration records, rehearsed: a tenant's Paystack customer, and a refusal."""

from dataclasses import replace

from sqlalchemy import Connection

from leaseup_dagster.customers import missing
from leaseup_dagster.customers.missing import Registrant
from leaseup_dagster.database.rehearsal import Scene, Stage

NOBODY = Registrant("", "", "", "", "", "")
"""Where no tenant is without a customer, only the rights to the statements are tried."""


def registered(registrant: Registrant) -> Scene:
    """The code of the tenant's customer is kept. The row is held for this statement only."""

    def store(connection: Connection) -> bool:
        stored = missing.store_customer(connection, registrant, "CUS_rehearsal")
        # One that has a customer, or another address, by now is no longer waited for.
        return stored or not missing.registrants(connection, [registrant.tenant_id])

    def refuse(connection: Connection) -> None:
        missing.remember_refusal(connection, replace(NOBODY, tenant_id="rehearsal"), "rehearsal")

    def scene(stage: Stage) -> None:
        stage.act("A refusal", refuse)
        stage.act("A tenant's Paystack customer", store)

    return scene
