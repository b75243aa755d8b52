"""SQL: tenants without a Paystack customer, the code found for one, and refusals remembered.

A refused tenant is left alone until its data changes: the hash of what would be sent is kept,
not the data.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, and_, func, select, update
from sqlalchemy.dialects.postgresql import insert

from leaseup_dagster.database.leaseup import tenant, utc_now
from leaseup_dagster.database.ledgers import customer_refusal as refusal
from leaseup_dagster.database.ledgers import invoice_ledger as ledger


@dataclass(frozen=True)
class Applicant:
    """A tenant to be registered. Its data go to Paystack and nowhere else."""

    tenant_id: str
    email: str = field(repr=False)
    first_name: str = field(repr=False)
    last_name: str = field(repr=False)
    phone: str = field(repr=False)
    data_hash: str = field(repr=False)


_data_hash = func.md5(
    func.concat_ws("\x1f", tenant.c.email, tenant.c.firstName, tenant.c.lastName, tenant.c.phone)
)


def tenants_of_planned_invoices(connection: Connection) -> list[str]:
    """Ids of the tenants without a customer whom the ledger is about to bill."""
    planned = select(ledger.c.tenant_id).where(ledger.c.state == "planned")
    return list(
        connection.execute(
            select(tenant.c.id).where(_missing(retry_refused=False), tenant.c.id.in_(planned))
            .order_by(tenant.c.id)
        ).scalars()
    )  # fmt: skip


def applicants(
    connection: Connection, tenant_ids: Sequence[str], *, retry_refused: bool
) -> list[Applicant]:
    """Those of the tenants that still have no customer, with what Paystack asks for."""
    rows = connection.execute(
        select(
            tenant.c.id, tenant.c.email, tenant.c.firstName, tenant.c.lastName, tenant.c.phone,
            _data_hash,
        )
        .where(_missing(retry_refused=retry_refused), tenant.c.id.in_(tenant_ids))
        .order_by(tenant.c.id)
    )  # fmt: skip
    return [Applicant(*row) for row in rows]


def store_customer(connection: Connection, tenant_id: str, customer_code: str) -> None:
    """Keep the code, unless the tenant has one by now."""
    connection.execute(
        update(tenant)
        .where(tenant.c.id == tenant_id, tenant.c.paystackCustomerId.is_(None))
        .values(paystackCustomerId=customer_code, updatedAt=utc_now)
    )


def remember_refusal(connection: Connection, applicant: Applicant, error: str) -> None:
    """Not again with this data."""
    row = insert(refusal).values(
        tenant_id=applicant.tenant_id, data_hash=applicant.data_hash, error=error,
        refused_at=func.now(),
    )  # fmt: skip
    connection.execute(
        row.on_conflict_do_update(
            index_elements=[refusal.c.tenant_id],
            set_={
                "data_hash": row.excluded.data_hash,
                "error": row.excluded.error,
                "refused_at": row.excluded.refused_at,
            },
        )
    )


def refusals(connection: Connection, tenant_ids: Sequence[str]) -> dict[str, str]:
    """Tenant id → why Paystack refused it, for those whose data have not changed since."""
    rows = connection.execute(
        select(refusal.c.tenant_id, refusal.c.error)
        .join(tenant, tenant.c.id == refusal.c.tenant_id)
        .where(refusal.c.tenant_id.in_(tenant_ids), refusal.c.data_hash == _data_hash)
    )
    return {tenant_id: error for tenant_id, error in rows}


def _missing(*, retry_refused: bool) -> ColumnElement[bool]:
    without = tenant.c.paystackCustomerId.is_(None)
    if retry_refused:
        return without
    refused = select(refusal.c.tenant_id).where(
        refusal.c.tenant_id == tenant.c.id, refusal.c.data_hash == _data_hash
    )
    return and_(without, ~refused.exists())
