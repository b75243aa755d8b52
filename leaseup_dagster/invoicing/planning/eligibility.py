"""SQL: which leases need an invoice, and for everyone else the reason why not.

One set-based statement over all leases: LeaseUp's tables have no index on any foreign key, so
a lookup per lease would read a whole table for each. The rules and their order stand in
`reason` below; the values are those of `SkipReason`.
"""

from collections.abc import Callable
from datetime import date
from typing import Any

from sqlalchemy import BindParameter, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Date, Text

from leaseup_dagster.invoicing.planning.months import next_due_date_sql
from leaseup_dagster.invoicing.planning.shards import WHOLE, is_chosen
from leaseup_dagster.settings import TaskSettings

_ARRAYS = {"lease_ids": Text, "due_dates": Date, "landlord_statuses": Text}

_ELIGIBILITY = """
month AS (SELECT * FROM ({months}) AS of_all WHERE {month_in_shard}),
-- The primary tenant: the one LeaseUp has known longest.
main_tenant AS (
    SELECT DISTINCT ON (tenant_lease."leaseId") tenant_lease."leaseId" AS lease_id, tenant.id
    FROM tenant_lease JOIN tenant ON tenant.id = tenant_lease."tenantId"
    WHERE {tenant_in_shard}
    ORDER BY tenant_lease."leaseId", tenant."createdAt", tenant.id
),
rent_rule AS (
    SELECT DISTINCT ON ("leaseId") "leaseId" AS lease_id, id
    FROM recurring_billable WHERE "isActive" AND category = 'RENT' AND "leaseId" IS NOT NULL
      AND {row_in_shard}
    ORDER BY "leaseId", "startDate", id
),
-- Rent invoices at or near the due date. A month that was billed by a rule, ours or LeaseUp's own,
-- reaches further than one that somebody made manually: the next one of a lease is a month away,
-- unless its start date was moved. One without a due date may be of any month it was made for.
rent AS (
    SELECT "leaseId" AS lease_id, coalesce("dueDate", "createdAt"::date) AS due_date,
           status = 'CANCELLED' AS cancelled, "dueDate" IS NULL AS undated, false AS gone,
           NULL::bigint AS open_cents,
           CASE WHEN "dueDate" IS NULL THEN 62
                WHEN "recurringBillableId" IS NOT NULL AND status <> 'CANCELLED' THEN 20
                ELSE 3 END AS reach
    FROM invoice WHERE category = 'RENT' AND {row_in_shard}
      AND ("dueDate" IS NOT NULL OR status <> 'CANCELLED')
    UNION ALL
    SELECT ours.lease_id, ours.due_date, false, false,
           ours.state = 'invoiced' AND invoice.id IS NULL,
           -- Nobody has edited or paid it.
           CASE WHEN invoice.status IN ('PENDING', 'OVERDUE')
                 AND round(invoice."dueAmount"::numeric * 100) = ours.amount_cents
                THEN ours.amount_cents END,
           20
    FROM leaseup_dagster.invoice_ledger AS ours
    LEFT JOIN invoice ON invoice.id = ours.invoice_id
    WHERE {ours_in_shard} AND (ours.state = 'requesting'
        OR (ours.state = 'invoiced' AND invoice.status IS DISTINCT FROM 'CANCELLED'))
),
existing_rent AS (
    SELECT lease_id, due_date,
           bool_or(apart = 0 AND NOT (cancelled OR gone OR undated)) AS billed,
           bool_or(apart = 0 AND cancelled) AS cancelled,
           bool_or(apart = 0 AND gone) AS deleted,
           bool_or(undated) AS undated,
           bool_or(apart BETWEEN 1 AND 3 AND NOT (gone OR undated)) AS nearby,
           bool_or(apart > 3 AND NOT (gone OR undated)) AS too_near,
           min(open_cents) FILTER (WHERE apart = 0) AS open_cents
    FROM (
        SELECT month.lease_id, month.due_date, abs(rent.due_date - month.due_date) AS apart,
               cancelled, gone, undated, open_cents
        FROM month JOIN rent
          ON rent.lease_id = month.lease_id
         AND rent.due_date BETWEEN month.due_date - reach AND month.due_date + reach
    ) AS near
    GROUP BY lease_id, due_date
),
-- Leases of one unit and one tenant: a renewal, or a lease entered twice.
neighbour AS MATERIALIZED (
    SELECT id, "unitId" AS unit_id, "startDate" AS start_date, "endDate" AS end_date,
           status = 'ACTIVE' AND "automaticInvoice" AS bills
    FROM lease WHERE "unitId" IN ({units})
),
pair AS MATERIALIZED (
    SELECT DISTINCT mine.id AS lease_id, other.id AS other_id, other.start_date, other.end_date,
           other.bills
    FROM neighbour AS mine
    JOIN neighbour AS other ON other.unit_id = mine.unit_id AND other.id <> mine.id
    JOIN tenant_lease AS here ON here."leaseId" = mine.id
    JOIN tenant_lease AS there
      ON there."leaseId" = other.id AND there."tenantId" = here."tenantId"
    WHERE {mine_in_shard}
),
billed_elsewhere AS (
    SELECT "leaseId" AS lease_id, coalesce("dueDate", "createdAt"::date) AS due_date,
           CASE WHEN "dueDate" IS NULL THEN 62 ELSE 20 END AS reach
    FROM invoice
    WHERE category = 'RENT' AND status <> 'CANCELLED'
      AND "leaseId" IN (SELECT other_id FROM pair)
    UNION ALL
    SELECT lease_id, due_date, 20 FROM leaseup_dagster.invoice_ledger AS ours
    WHERE lease_id IN (SELECT other_id FROM pair)
      -- An invoice that was deleted leaves a payment request that may still be paid.
      AND (state = 'requesting' OR (state = 'invoiced'
           AND NOT EXISTS (SELECT FROM invoice WHERE invoice.id = ours.invoice_id)))
),
rival AS (
    SELECT month.lease_id, month.due_date, min(pair.other_id) AS other_id
    FROM month JOIN pair USING (lease_id)
    CROSS JOIN LATERAL (SELECT {next_of_other} AS due_date) AS theirs
    LEFT JOIN billed_elsewhere AS billed ON billed.lease_id = pair.other_id
     AND billed.due_date BETWEEN month.due_date - billed.reach AND month.due_date + billed.reach
    WHERE billed.lease_id IS NOT NULL
       OR (pair.bills AND theirs.due_date <= month.due_date + 20
           AND (pair.end_date IS NULL OR theirs.due_date < pair.end_date))
    GROUP BY month.lease_id, month.due_date
),
fact AS (
    SELECT month.lease_id, month.due_date,
           lease.id IS NOT NULL AS known, lease."automaticInvoice" AS automatic,
           lease.status::text AS status, lease."startDate" AS start_date,
           lease."endDate" AS end_date,
           upper(btrim(lease."rentDueCurrency", E' \\t\\n')) AS currency,
           -- Beyond a billion rand, NaN included, there is no rent and no bigint of cents.
           CASE WHEN lease.rent BETWEEN 0 AND 1e9
                THEN round(lease.rent::numeric * 100)::bigint END AS amount_cents,
           landlord.id AS landlord_id,
           landlord."paystackSubscriptionStatus"::text AS landlord_status,
           nullif(btrim(landlord."paystackSplitGroupId"), '') AS split_code,
           coalesce(left(unit.name, 60), '') AS unit_name,
           coalesce(left(property.name, 60), '') AS property_name,
           main_tenant.id AS tenant_id, rent_rule.id AS recurring_billable_id,
           coalesce(existing_rent.billed, false) AS billed,
           coalesce(existing_rent.cancelled, false) AS cancelled,
           coalesce(existing_rent.deleted, false) AS deleted,
           coalesce(existing_rent.undated, false) AS undated,
           coalesce(existing_rent.nearby, false) AS nearby,
           coalesce(existing_rent.too_near, false) AS too_near,
           existing_rent.open_cents, rival.other_id,
           ledger.state,
           coalesce(ledger.billing, 1) AS billing,
           :by_hand OR asked_for AS by_hand, :rebill OR asked_for AS rebill
    FROM month
    LEFT JOIN lease ON lease.id = month.lease_id
    LEFT JOIN unit ON unit.id = lease."unitId"
    LEFT JOIN property ON property.id = unit."propertyId"
    LEFT JOIN "user" AS landlord ON landlord.id = property."landlordId"
    LEFT JOIN main_tenant ON main_tenant.lease_id = month.lease_id
    LEFT JOIN rent_rule ON rent_rule.lease_id = month.lease_id
    LEFT JOIN existing_rent ON existing_rent.lease_id = month.lease_id AND existing_rent.due_date =
    month.due_date LEFT JOIN rival ON rival.lease_id = month.lease_id AND rival.due_date =
    month.due_date LEFT JOIN leaseup_dagster.invoice_ledger AS ledger
      ON ledger.lease_id = month.lease_id AND ledger.due_date = month.due_date
     AND {ledger_in_shard}
    CROSS JOIN LATERAL (SELECT coalesce(
        ledger.by_hand AND ledger.state IN ('planned', 'refused'), false) AS asked_for) AS person
),
-- Short and unique; what is printed on the payment request, to find it again by.
named AS (
    SELECT *, {reference} AS reference FROM fact
    OFFSET 0  -- a fence: what is named twice below is still computed once
),
eligibility AS MATERIALIZED (
    SELECT lease_id, due_date, billing, reference, tenant_id, landlord_id, amount_cents,
           'Rent for ' || unit_name || ', ' || property_name || ', due '
               || to_char(due_date, 'FMDD FMMonth YYYY') || ', ref ' || reference
               AS description,
           split_code, recurring_billable_id, by_hand, automatic, state,
           -- What a person should know beside the reason: the cents that were billed and those of
           -- the rent, or the other lease.
           CASE WHEN billed THEN open_cents || ' ' || amount_cents ELSE other_id END AS note,
           CASE
               WHEN NOT known THEN 'lease_gone'
               WHEN state = 'requesting' THEN 'in_progress'
               WHEN billed AND open_cents <> amount_cents AND status = 'ACTIVE'
                   THEN 'billed_another_amount'
               WHEN billed THEN 'already_invoiced'
               WHEN cancelled AND NOT rebill THEN 'cancelled_by_person'
               WHEN deleted THEN 'invoice_deleted'
               WHEN state = 'invoiced' THEN 'already_invoiced'
               WHEN undated AND NOT by_hand THEN 'undated_invoice'
               WHEN nearby AND NOT by_hand THEN 'invoiced_nearby'
               WHEN too_near AND NOT by_hand THEN 'near_a_billed_month'
               WHEN NOT automatic AND NOT by_hand THEN 'not_automatic'
               WHEN status <> 'ACTIVE' THEN 'not_active'
               WHEN due_date < start_date OR date_part('day', due_date) <> least(
                   date_part('day', start_date),
                   -- the last day of the due date's month
                   date_part('day', date_trunc('month', due_date) + interval '1 month - 1 day')
               ) THEN 'not_a_due_date'
               WHEN due_date > end_date AND end_date < :as_of THEN 'past_its_end'
               WHEN due_date > end_date THEN 'lease_ends_first'
               WHEN due_date = end_date AND NOT by_hand THEN 'ends_on_due_date'
               WHEN cardinality(CAST(:landlord_statuses AS text[])) > 0
                AND landlord_status = ANY (CAST(:landlord_statuses AS text[])) IS NOT TRUE
                   THEN 'landlord_not_served'
               WHEN landlord_id IS NULL THEN 'no_unit'
               WHEN tenant_id IS NULL THEN 'no_tenant'
               WHEN other_id IS NOT NULL AND NOT by_hand THEN 'billed_under_another_lease'
               WHEN currency <> 'ZAR' THEN 'currency_not_rand'
               WHEN coalesce(amount_cents, 0) < 100 THEN 'rent_invalid'
               WHEN due_date > :as_of + CAST(:days_ahead AS integer) AND NOT by_hand
                   THEN 'not_yet_due'
           END AS reason
    FROM named
)
"""


_SHARED_UNITS = """
    SELECT "unitId" FROM lease WHERE "unitId" IS NOT NULL GROUP BY "unitId" HAVING count(*) > 1
"""
_UNITS_OF = 'SELECT "unitId" FROM lease WHERE {has}'


def eligibilities(months: str, has: Callable[[str], str] = WHOLE.has) -> str:
    """The statement's opening: `WITH … eligibility AS (…)`, one row for each month of `months`
    whose lease is among those of `has`: the condition on a column that holds a lease's id.

    A eligibility without `reason` is to be billed, with what its invoice would say. Bind it with
    `bindings`; what `has` and the months bind besides. The whole of it is sent as a `statement`.
    """
    return "WITH " + _ELIGIBILITY.format(
        months=months,
        reference=reference_sql("lease_id", "due_date", "billing"),
        month_in_shard=has("lease_id"),
        tenant_in_shard=has('tenant_lease."leaseId"'),
        row_in_shard=has('"leaseId"'),
        ours_in_shard=has("ours.lease_id"),
        ledger_in_shard=has("ledger.lease_id"),
        mine_in_shard=has("mine.id"),
        # Of few leases the units are examined, and not every unit of the portfolio.
        units=_SHARED_UNITS if has is not is_chosen else _UNITS_OF.format(has=has("id")),
        next_of_other=next_due_date_sql(
            "pair.start_date",
            # Of a month that has passed, the other lease's has too, and may be asked for with it.
            "CASE WHEN month.due_date < :as_of THEN month.due_date - 20"
            " ELSE greatest(CAST(:as_of AS date), month.due_date - 20) END",
        ),
    )


def statement(sql: str) -> TextClause:
    """What begins with `eligibilities`, ready to be executed: empty lists need their type said."""
    bound: list[BindParameter[Any]] = [
        bindparam(name, type_=ARRAY(kind)) for name, kind in _ARRAYS.items() if f":{name}" in sql
    ]
    return text(sql).bindparams(*bound)


def reference_sql(lease_id: str, due_date: str, billing: str) -> str:
    """The expression that `references.reference_of` computes."""
    of = f"{lease_id} || '|' || {due_date} || '|' || {billing}"
    return f"'LU-' || upper(substr(encode(sha256(convert_to({of}, 'UTF8')), 'hex'), 1, 20))"


def bindings(
    as_of: date, tasks: TaskSettings, *, by_hand: bool = False, rebill: bool = False
) -> dict[str, Any]:
    """What every use of `eligibilities` binds. `by_hand`: a person asked for just this month;
    `rebill`: although its invoice was cancelled."""
    return {
        "as_of": as_of,
        "days_ahead": tasks.check_days_ahead,
        "landlord_statuses": list(tasks.served_landlord_statuses),
        "by_hand": by_hand,
        "rebill": rebill,
    }
