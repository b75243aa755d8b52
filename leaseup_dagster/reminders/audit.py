"""SQL: what must not be among texts. One statement over everything.

`days` bounds it: what a person has looked at is not shown for ever.
"""

from datetime import timedelta

from sqlalchemy import Connection, bindparam, text

from leaseup_dagster.checking import IDS_SHOWN, Found, first
from leaseup_dagster.reminders.overdue import COUNTS_AS_SENT

_ALLOW_LONG = text("SET LOCAL statement_timeout = '180s'")

# Paid when the text left: by the payments recorded until then, or PAID and not touched since. A
# payment of the same minute may have crossed the text on its way.
_PAID_BEFORE_THE_TEXT = text(
    f"""
    WITH texted AS (
        SELECT invoice_id, tenant_id, step,
               timezone('UTC', attempted_at) - interval '1 minute' AS texted_at
        FROM leaseup_dagster.reminder_ledger
        WHERE state IN :counts_as_sent AND attempted_at > now() - CAST(:lately AS interval)
    ),
    paid AS (
        SELECT texted.invoice_id, texted.tenant_id, texted.step,
               sum(round(transaction."amountPaid"::numeric * 100)) AS cents
        FROM texted JOIN transaction
          ON transaction."invoiceId" = texted.invoice_id
         AND transaction."createdAt" < texted.texted_at
        GROUP BY 1, 2, 3
    )
    SELECT count(*) AS total, (array_agg(
        texted.invoice_id || ' step ' || texted.step || ' tenant ' || texted.tenant_id
        ORDER BY texted_at DESC))[1 : {IDS_SHOWN}] AS ids
    FROM texted
    JOIN invoice ON invoice.id = texted.invoice_id
    LEFT JOIN paid USING (invoice_id, tenant_id, step)
    WHERE paid.cents >= round(invoice."dueAmount"::numeric * 100)
       OR (invoice.status = 'PAID' AND invoice."updatedAt" < texted_at)
    """
).bindparams(bindparam("counts_as_sent", expanding=True))


def texted_after_payment(connection: Connection, lately: timedelta) -> Found:
    """Texts of late that may have reached a tenant whose invoice was already paid in LeaseUp."""
    connection.execute(_ALLOW_LONG)
    values = {"counts_as_sent": COUNTS_AS_SENT, "lately": lately}
    row = connection.execute(_PAID_BEFORE_THE_TEXT, values).one()
    return Found(row.total, first(row.ids))
