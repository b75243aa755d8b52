"""SQL: tenants whose Paystack customer is not theirs any more are let go, so that another is made.

What is remembered of an e-mail address is its hash and the customer it was used for. Requests that
are out are searched for under the customer they were made with, which the invoice ledger knows.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import (
    ColumnElement,
    Connection,
    delete,
    func,
    literal,
    select,
    tuple_,
    update,
    values,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql import column

from leaseup_dagster.database.leaseup import customer_code, tenant, utc_now
from leaseup_dagster.database.ledgers import customer_address as address
from leaseup_dagster.database.ledgers import invoice_ledger as ledger

_email_hash = func.md5(func.lower(func.btrim(tenant.c.email)))


def let_go_of_corrected(connection: Connection) -> list[str]:
    """Those about to be billed whose e-mail address was corrected since their customer was made.

    A customer that is seen for the first time is assumed to be of the address as it is now.
    """
    planned = tenant.c.id.in_(select(ledger.c.tenant_id).where(ledger.c.state == "planned"))
    corrected = list(
        connection.execute(
            select(tenant.c.id, customer_code)
            .join(address, address.c.tenant_id == tenant.c.id)
            .where(
                planned,
                address.c.customer_code == customer_code,
                address.c.email_hash != _email_hash,
            )
        )
    )
    let_go(connection, {row[0]: row[1] for row in corrected})
    _remember(connection, planned)
    return sorted(row[0] for row in corrected)


def let_go(connection: Connection, codes: Mapping[str, str]) -> None:
    """Leave the tenants without a customer, where it is still the one named in `codes`."""
    if not codes:
        return
    outdated = values(column("id"), column("code"), name="outdated").data(list(codes.items()))
    connection.execute(
        update(tenant)
        .where(tuple_(tenant.c.id, customer_code).in_(select(outdated)))
        .values(paystackCustomerId=None, updatedAt=utc_now)
    )
    connection.execute(delete(address).where(address.c.tenant_id.in_(list(codes))))


def remember(connection: Connection, tenant_id: str) -> None:
    """The customer that the tenant has now was made for its address."""
    _remember(connection, tenant.c.id == literal(tenant_id))


def customers_of(connection: Connection, tenant_ids: Sequence[str]) -> list[tuple[str, str, str]]:
    """(tenant, customer's code, e-mail address) of those of the tenants who have a customer."""
    rows = connection.execute(
        select(tenant.c.id, customer_code, tenant.c.email)
        .where(tenant.c.id.in_(tenant_ids), customer_code.is_not(None))
        .order_by(tenant.c.id)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def _remember(connection: Connection, chosen: ColumnElement[bool]) -> None:
    seen = select(tenant.c.id, customer_code, _email_hash).where(chosen, customer_code.is_not(None))
    new = insert(address).from_select(["tenant_id", "customer_code", "email_hash"], seen)
    connection.execute(
        new.on_conflict_do_update(
            index_elements=[address.c.tenant_id],
            set_={
                "customer_code": new.excluded.customer_code,
                "email_hash": new.excluded.email_hash,
            },
            where=address.c.customer_code != new.excluded.customer_code,
        )
    )
