"""SQL: what must not be among texts. One statement over everything.

`days` bounds it: what a person has checked is not shown for ever.
"""

from datetime import timedelta

from sqlalchemy import CTE, Connection, and_, func, or_, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from leaseup_dagster.checking import Found, first
from leaseup_dagster.database.leaseup import invoice, transaction
from leaseup_dagster.database.ledgers import reminder_ledger as ledger
from leaseup_dagster.database.url import ALLOW_LONG
from leaseup_dagster.invoicing.payments import amounts
from leaseup_dagster.reminders.overdue.queries import COUNTS_AS_SENT


def texted_after_payment(connection: Connection, lately: timedelta) -> Found:
    """Texts of late that may have reached a tenant whose invoice was already paid in LeaseUp.

    Paid when the text left: by the payments recorded until then, or PAID and not touched since.
    """
    connection.execute(ALLOW_LONG)
    texted = _texted(lately)
    texts = (texted.c.id, texted.c.tenant_id, texted.c.step)
    paid = amounts.received(texted, transaction.c.createdAt < texted.c.texted_at, by=texts)
    same_text = and_(*(paid.c[column.key] == column for column in texts))
    named = func.concat(texted.c.id, " step ", texted.c.step, " tenant ", texted.c.tenant_id)
    row = connection.execute(
        select(
            func.count().label("total"),
            func.array_agg(aggregate_order_by(named, texted.c.texted_at.desc())).label("ids"),
        )
        .select_from(texted.outerjoin(paid, same_text))
        .where(
            or_(
                paid.c.cents >= amounts.in_cents(texted.c.dueAmount),
                and_(texted.c.status == "PAID", texted.c.updatedAt < texted.c.texted_at),
            )
        )
    ).one()
    return Found(row.total, first(row.ids))


def _texted(lately: timedelta) -> CTE:
    # A payment of the same minute may have crossed the text on its way.
    minute_before = func.timezone("UTC", ledger.c.attempted_at) - timedelta(minutes=1)
    return (
        select(invoice, ledger.c.tenant_id, ledger.c.step, minute_before.label("texted_at"))
        .join(ledger, ledger.c.invoice_id == invoice.c.id)
        .where(ledger.c.state.in_(COUNTS_AS_SENT), ledger.c.attempted_at > func.now() - lately)
        .cte("texted")
    )
