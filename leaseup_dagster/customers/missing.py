"""SQL: tenants without a Paystack customer, the code found for one, and refusals remembered.

A refused tenant is left alone until its data change: the hash of what would be sent is kept,
not the data.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Text,
    and_,
    any_,
    case,
    delete,
    func,
    literal,
    not_,
    select,
    text,
    true,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from leaseup_dagster.customers.next_batch import TenantTable, Waiting
from leaseup_dagster.database.leaseup import customer_code, tenant, tenant_lease, utc_now
from leaseup_dagster.database.ledgers import customer_refusal as refusal
from leaseup_dagster.database.ledgers import invoice_ledger as ledger


@dataclass(frozen=True)
class Registrant:
    """A tenant to be registered. Its data go to Paystack and nowhere else."""

    tenant_id: str
    email: str = field(repr=False)
    first_name: str = field(repr=False)
    last_name: str = field(repr=False)
    phone: str = field(repr=False)
    data_hash: str = field(repr=False)


@dataclass(frozen=True)
class RegistrationStatus:
    """How a tenant stands: with a customer, refused for its data as they are now, or neither."""

    tenant_id: str
    customer_code: str | None
    refusal: str | None


_data_hash = func.md5(
    func.concat_ws("\x1f", tenant.c.email, tenant.c.firstName, tenant.c.lastName, tenant.c.phone)
)
_with_refusal = tenant.outerjoin(refusal, refusal.c.tenant_id == tenant.c.id)
# Only where there is a refusal: hashing a million tenants takes longer than finding them.
_refused = case((refusal.c.tenant_id.is_not(None), refusal.c.data_hash == _data_hash), else_=False)
_has_none = customer_code.is_(None)


def waiting(
    connection: Connection, *, resting: Collection[str], limit: int, besides: Collection[str] = ()
) -> Waiting:
    """Everybody without a customer `besides` those of a run at work, counted, and the first `limit`
    who neither rest nor are refused. Reads the whole table: LeaseUp has no index that would help.
    """
    # Refused before and not now: its data were corrected, so that it need not rest any longer.
    corrected = refusal.c.tenant_id.is_not(None)
    without = (
        select(tenant.c.id, _refused.label("refused"), corrected.label("corrected"))
        .select_from(_with_refusal)
        .where(_has_none, *([not_(_among(tenant.c.id, besides))] if besides else []))
        .cte("without")
    )
    free = not_(without.c.refused)
    rests = and_(free, _among(without.c.id, resting), not_(without.c.corrected))
    first = select(without.c.id).where(free, not_(rests)).order_by(without.c.id).limit(limit)
    row = connection.execute(
        select(
            func.count().filter(free),
            func.count().filter(without.c.refused),
            func.count().filter(rests),
            func.array(first.scalar_subquery()),
        ).select_from(without)
    ).one()
    return Waiting(total=row[0], refused=row[1], resting=row[2], tenant_ids=tuple(row[3]))


def fingerprint(connection: Connection, tenant_ids: Sequence[str]) -> str:
    """Of the tenants and their data: another one when any of them changes."""
    chosen = select(tenant.c.id, _data_hash).where(_among(tenant.c.id, tenant_ids))
    rows = connection.execute(chosen.order_by(tenant.c.id))
    return hashlib.sha256("\n".join(f"{row[0]} {row[1]}" for row in rows).encode()).hexdigest()


# The counters are cumulative, kept for every session, and up to 10 s late.
_TABLE = text(
    """
    SELECT pg_relation_size('tenant') AS bytes,
           CASE WHEN current_setting('track_counts')::boolean THEN (
               SELECT sum(pg_stat_get_tuples_inserted(watched)
                        + pg_stat_get_tuples_updated(watched)
                        + pg_stat_get_tuples_deleted(watched))::bigint
               FROM unnest(ARRAY['tenant'::regclass,
                                 'leaseup_dagster.customer_refusal'::regclass]) AS watched
           ) END AS changes
    """
)


def tenant_table(connection: Connection) -> TenantTable:
    """How large the table is, and how often it was written to; reads none of it."""
    return TenantTable(**connection.execute(_TABLE).mappings().one())


def tenants_of_planned_invoices(connection: Connection) -> list[str]:
    """Ids of the tenants without a customer whom the ledger is about to bill: also those who came
    after a request without an answer, which goes to them if it never arrived."""
    unanswered = select(ledger.c.lease_id).where(ledger.c.state == "requesting")
    planned = union_all(
        select(ledger.c.tenant_id).where(ledger.c.state == "planned"),
        select(tenant_lease.c.tenantId).where(tenant_lease.c.leaseId.in_(unanswered)),
    )
    return list(
        connection.execute(
            select(tenant.c.id)
            .select_from(_with_refusal)
            .where(_has_none, not_(_refused), tenant.c.id.in_(planned))
            .order_by(tenant.c.id)
        ).scalars()
    )


def tenants_to_register(
    connection: Connection, tenant_ids: Sequence[str], limit: int
) -> tuple[str, ...]:
    """Those of the tenants (all, if none is named) who have no customer and are not refused."""
    if not tenant_ids:
        return waiting(connection, resting=(), limit=limit).tenant_ids
    found = connection.execute(
        select(tenant.c.id)
        .select_from(_with_refusal)
        .where(_has_none, not_(_refused), _among(tenant.c.id, tenant_ids))
        .order_by(tenant.c.id)
        .limit(limit)
    )
    return tuple(found.scalars())


def unknown(connection: Connection, tenant_ids: Sequence[str]) -> list[str]:
    """Those of the ids that no tenant has, in order."""
    known = connection.execute(select(tenant.c.id).where(_among(tenant.c.id, tenant_ids)))
    return sorted(set(tenant_ids) - set(known.scalars()))


def registrants(connection: Connection, tenant_ids: Sequence[str]) -> list[Registrant]:
    """Those of the tenants who still are to be registered, with what Paystack asks for."""
    rows = connection.execute(
        select(
            tenant.c.id, tenant.c.email, tenant.c.firstName, tenant.c.lastName, tenant.c.phone,
            _data_hash,
        )
        .select_from(_with_refusal)
        .where(_has_none, not_(_refused), _among(tenant.c.id, tenant_ids))
        .order_by(tenant.c.id)
    )  # fmt: skip
    return [Registrant(*row) for row in rows]


def statuses(connection: Connection, tenant_ids: Sequence[str]) -> list[RegistrationStatus]:
    """How each of the tenants stands, in order; one that was deleted is left out."""
    rows = connection.execute(
        select(tenant.c.id, customer_code, case((_refused, refusal.c.error)))
        .select_from(_with_refusal)
        .where(_among(tenant.c.id, tenant_ids))
        .order_by(tenant.c.id)
    )
    return [RegistrationStatus(*row) for row in rows]


def store_customer(connection: Connection, registrant: Registrant, code: str) -> bool:
    """Keep the code, unless the tenant has one by now, or another e-mail address than was sent."""
    stored = connection.execute(
        update(tenant)
        .where(tenant.c.id == registrant.tenant_id, _has_none, tenant.c.email == registrant.email)
        .values(paystackCustomerId=code, updatedAt=utc_now)
    )
    return stored.rowcount == 1


def remember_refusal(connection: Connection, registrant: Registrant, error: str) -> None:
    """Not again with this data."""
    row = insert(refusal).values(
        tenant_id=registrant.tenant_id, data_hash=registrant.data_hash, error=error,
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


def forget_refusals(connection: Connection, tenant_ids: Sequence[str]) -> None:
    """Let the tenants (all, if none is named) be tried again: a person asked for it."""
    chosen = _among(refusal.c.tenant_id, tenant_ids) if tenant_ids else true()
    connection.execute(delete(refusal).where(chosen))


def _among(column: ColumnElement[str], tenant_ids: Collection[str]) -> ColumnElement[bool]:
    # One array, not a parameter for each: a run may have thousands.
    return column == any_(literal(list(tenant_ids), ARRAY(Text)))
