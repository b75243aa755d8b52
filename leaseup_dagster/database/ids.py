"""SQL: what an id that a person typed belongs to, so that a wrong one gets a helpful answer."""

from sqlalchemy import Connection, Table, exists, literal, select

from leaseup_dagster.database.leaseup import invoice, landlord, lease, property_, tenant, unit

_TABLES: dict[str, Table] = {
    "a lease": lease,
    "an invoice": invoice,
    "a tenant": tenant,
    "a unit": unit,
    "a property": property_,
    "a landlord": landlord,
}


def kind_of(connection: Connection, id_: str) -> str | None:
    """What LeaseUp has under this id: `a lease`, `an invoice`, …; None if nothing."""
    for kind, table in _TABLES.items():
        if connection.execute(select(exists(table.c.id).where(table.c.id == id_))).scalar():
            return kind
    return None


def not_a(kind: str, connection: Connection, id_: str) -> str:
    """Why `id_` cannot be treated as `kind` (such as `a lease`), and what to do."""
    named = kind.partition(" ")[2]
    if not id_.strip():
        return f"The {named}'s id is missing. Copy it from the {named}'s page in LeaseUp."
    found = kind_of(connection, id_)
    if found is None:
        return f"There is no {named} {id_!r} in LeaseUp. Copy the id from the {named}'s page."
    of_lease = ""
    if found == "an invoice":
        leases = select(literal(" of lease ") + invoice.c.leaseId).where(invoice.c.id == id_)
        of_lease = connection.execute(leases).scalar() or " without a lease"
    return f"{id_!r} is the id of {found}{of_lease}, not of {kind}."
