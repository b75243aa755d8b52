"""SQL: the news, each with the key under which it is sent once.

Each statement goes over all landlords at once.
"""

from datetime import date
from typing import Any

from sqlalchemy import (
    Date,
    FromClause,
    Numeric,
    Select,
    Subquery,
    Text,
    cast,
    column,
    func,
    literal,
    literal_column,
    select,
    text,
    type_coerce,
)

from leaseup_dagster.database.leaseup import (
    in_johannesburg,
    invoice,
    lease,
    property_,
    tenant,
    unit,
)
from leaseup_dagster.invoicing.payments import amounts
from leaseup_dagster.invoicing.payments.receipts import OPEN
from leaseup_dagster.landlords.news import Kind

_COLUMNS = (
    column("landlord_id", Text), column("key", Text), column("lease_id", Text),
    column("tenant", Text), column("home", Text), column("cents", Numeric),
    column("due_cents", Numeric), column("day", Date), column("what", Text),
)  # fmt: skip

_NAME = """btrim(concat_ws(' ', tenant."firstName", tenant."lastName"))"""
_HOME = """concat_ws(', ', nullif(btrim(unit.name), ''), nullif(btrim(property.name), ''))"""
_LEASES_HOMES = """lease JOIN unit ON unit.id = lease."unitId"
    JOIN property ON property.id = unit."propertyId\""""


def all_there_is(kind: Kind, as_of: date) -> Subquery:
    """Everything of one kind as of a day in Johannesburg, notified or not."""
    if kind is Kind.INVOICE:
        return _invoices().subquery("found")
    if kind is Kind.PAYMENT:
        return _payments().subquery("found")
    if kind is Kind.OVERDUE:
        return _overdue(as_of).subquery("found")
    if kind is Kind.ENDING:
        return text(_ENDING).bindparams(as_of=as_of).columns(*_COLUMNS).subquery("found")
    return text(_WRONG).columns(*_COLUMNS).subquery("found")


def _invoices() -> Select[Any]:
    """What was sent: it has a payment request. What was entered as paid long ago has none."""
    sent = (
        select(invoice)
        .where(
            invoice.c.status.not_in(("DRAFT", "CANCELLED")),
            func.coalesce(invoice.c.paymentRequestUrl, "") != "",
        )
        .cte("sent")
    )
    return _news_of(sent, key=sent.c.id, cents=amounts.in_cents(sent.c.dueAmount))


def _overdue(as_of: date) -> Select[Any]:
    late = select(invoice).where(invoice.c.status.in_(OPEN), invoice.c.dueDate < as_of).cte("late")
    due = amounts.due(late)
    return _news_of(due, key=due.c.id, cents=due.c.cents)


def _payments() -> Select[Any]:
    """Each payment once, under the number it has among those of its invoice and amount: whoever
    recorded it first, and whoever records it again."""
    billed = select(invoice).where(invoice.c.status != "DRAFT").cte("billed")
    paid = amounts.by_amount(billed, by=(billed.c.id,))
    total = func.sum(paid.c.cents * paid.c.times).over(partition_by=paid.c.id)
    counted = select(
        paid.c.id, paid.c.cents, paid.c.times, paid.c.last, total.label("total")
    ).subquery("counted")
    series = func.generate_series(1, counted.c.times)
    number = series.table_valued(column("n")).render_derived(name="number")
    each = (
        select(
            billed,
            counted.c.cents,
            counted.c.total,
            counted.c.last,
            number.c.n,
        )
        .select_from(billed.join(counted, counted.c.id == billed.c.id).join(number, literal(True)))
        .subquery("each")
    )
    return _news_of(
        each,
        key=func.concat_ws("/", each.c.id, each.c.cents, each.c.n),
        cents=each.c.cents,
        due=func.greatest(0, amounts.in_cents(each.c.dueAmount) - each.c.total),
        day=cast(in_johannesburg(each.c.last), Date),
    )


def _news_of(
    of: FromClause, *, key: Any, cents: Any, due: Any = None, day: Any = None
) -> Select[Any]:
    homes = (
        of.outerjoin(tenant, tenant.c.id == of.c.tenantId)
        .outerjoin(lease, lease.c.id == of.c.leaseId)
        .outerjoin(unit, unit.c.id == lease.c.unitId)
        .outerjoin(property_, property_.c.id == unit.c.propertyId)
    )
    return select(
        of.c.landlordId.label("landlord_id"),
        cast(key, Text).label("key"),
        func.coalesce(of.c.leaseId, "").label("lease_id"),
        literal_column(_NAME, Text).label("tenant"),
        literal_column(_HOME, Text).label("home"),
        cents.label("cents"),
        type_coerce(0 if due is None else due, cents.type).label("due_cents"),
        (of.c.dueDate if day is None else day).label("day"),
        literal("").label("what"),
    ).select_from(homes)


_LEASES = f"""
    SELECT property."landlordId" AS landlord_id, {{key}} AS key, lease.id AS lease_id,
           coalesce(who.names, '') AS tenant,
           {_HOME} AS home,
           0 AS cents, 0 AS due_cents, lease."endDate" AS day, {{what}} AS what
    FROM {_LEASES_HOMES}
    LEFT JOIN (
        SELECT tenant_lease."leaseId" AS lease_id, count(*) AS number, string_agg(
            {_NAME}, ', ' ORDER BY tenant.id) AS names
        FROM tenant_lease JOIN tenant ON tenant.id = tenant_lease."tenantId" GROUP BY 1
    ) AS who ON who.lease_id = lease.id
    {{more}}
    WHERE lease.status = 'ACTIVE'
"""
_ENDING = (
    _LEASES.format(
        key="""lease.id || '/' || lease."endDate" || '/' || mark.days""",
        what="''",
        more="CROSS JOIN (VALUES (60), (30)) AS mark (days)",
    )
    + """ AND lease."endDate" BETWEEN :as_of AND CAST(:as_of AS date) + mark.days"""
)
# Ours bills it, and cannot: nobody but the landlord can put that right.
_WRONG = (
    _LEASES.format(key="lease.id || '/no tenant'", what="'this lease has no tenant'", more="")
    + """ AND lease."automaticInvoice" AND who.number IS NULL UNION ALL """
    + _LEASES.format(
        key="lease.id || '/rent'", what="'the rent of this lease is not an amount'", more=""
    )
    + """ AND lease."automaticInvoice" AND (lease.rent BETWEEN 1 AND 1e9) IS NOT TRUE UNION ALL """
    + rf"""
    SELECT DISTINCT ON (tenant.id, unusable.what)
           property."landlordId", tenant.id || '/' || unusable.what, lease.id,
           {_NAME},
           {_HOME},
           0, 0, lease."endDate", 'this tenant has no usable ' || unusable.what
    FROM {_LEASES_HOMES}
    JOIN tenant_lease ON tenant_lease."leaseId" = lease.id
    JOIN tenant ON tenant.id = tenant_lease."tenantId"
    JOIN LATERAL (VALUES
        ('phone number', length(regexp_replace(coalesce(tenant.phone, ''), '[^0-9]', '', 'g')) < 9),
        ('e-mail address', coalesce(tenant.email, '') !~ '^\s*[^@\s]+@[^@\s]+[.][^@\s]+\s*$')
    ) AS unusable (what, so) ON unusable.so
    WHERE lease.status = 'ACTIVE' AND lease."automaticInvoice"
    """
)
