"""What a world holds, read back from its database and its stand-ins; nothing from logs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import text

from leaseup_dagster.arrears.summary import Arrears, arrears
from leaseup_dagster.explanation.timeline import Rules, load
from leaseup_dagster.explanation.words import as_text
from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.invoicing.planning.planner import evaluate
from leaseup_dagster.sandbox.world import World
from leaseup_dagster.settings import ReminderSettings, TaskSettings

_BILLED = text(
    """
    SELECT ledger.lease_id, ledger.due_date, ledger.amount_cents, ledger.request_code,
           ledger.adopted
    FROM leaseup_dagster.invoice_ledger AS ledger
    JOIN invoice ON invoice.id = ledger.invoice_id AND invoice."paystackId" = ledger.request_code
    -- Not what was billed before the demo began.
    WHERE ledger.state = 'invoiced' AND ledger.planned_at > now() - interval '1 day'
    ORDER BY ledger.due_date, ledger.lease_id
    """
)

_PAYMENTS = text(
    """
    SELECT invoice."paystackId" AS code, invoice.status::text AS status, count(*) AS rows,
           sum(round("amountPaid"::numeric * 100))::bigint AS cents
    FROM invoice JOIN transaction ON transaction."invoiceId" = invoice.id
    WHERE "paystackId" = ANY (CAST(:codes AS text[])) GROUP BY 1, 2
    """
)

_STATUS = text(
    """
    SELECT request_code AS code, state, invoice.status::text AS status
    FROM leaseup_dagster.invoice_ledger AS ledger
    JOIN invoice ON invoice.id = ledger.invoice_id WHERE ledger.lease_id = :lease_id
    """
)


_TOLD = text(
    """
    SELECT kind, count(*) FROM leaseup_dagster.landlord_event
    WHERE kind IN ('invoice', 'payment') AND day IS NOT NULL GROUP BY kind
    """
)
_NEW_INVOICES = text(
    """
    SELECT count(*) FROM invoice
    JOIN leaseup_dagster.invoice_ledger AS ledger ON ledger.invoice_id = invoice.id
    JOIN "user" AS landlord ON landlord.id = invoice."landlordId"
    WHERE ledger.state = 'invoiced' AND invoice.status <> 'CANCELLED'
      AND ledger.planned_at > now() - interval '1 day'
      AND landlord."paystackSubscriptionStatus" IN ('ACTIVE', 'NON_RENEWING')
    """
)
_PAYMENT_ROWS = text("SELECT count(*) FROM transaction")
_OWED = text(
    """
    SELECT coalesce(sum(round("dueAmount"::numeric * 100)), 0)::bigint - (
        SELECT coalesce(sum(round("amountPaid"::numeric * 100)), 0)::bigint FROM transaction
        JOIN invoice ON invoice.id = "invoiceId"
        WHERE invoice.status IN ('PENDING', 'OVERDUE', 'PARTIALLY_PAID'))
    FROM invoice WHERE status IN ('PENDING', 'OVERDUE', 'PARTIALLY_PAID')
    """
)


@dataclass(frozen=True)
class Billed:
    """An invoice in LeaseUp that our ledger and Paystack agree on."""

    key: LedgerKey
    amount_cents: int
    request_code: str
    adopted: bool


@dataclass(frozen=True)
class Footprint:
    """How much there is of everything a run could make. Equal before and after: made nothing."""

    invoices: int
    ledger_rows: int
    payment_requests: int
    customers: int
    texts: int


def footprint(world: World) -> Footprint:
    with world.engine.connect() as connection:
        invoices, ledger_rows = (
            connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
            for table in ("invoice", "leaseup_dagster.invoice_ledger")
        )
    return Footprint(
        invoices=invoices,
        ledger_rows=ledger_rows,
        payment_requests=len(world.paystack.payment_requests),
        customers=len(world.paystack.customers),
        texts=len(world.twilio.messages),
    )


def billed(world: World) -> list[Billed]:
    """Every month that was billed, by due date."""
    with world.engine.connect() as connection:
        rows = connection.execute(_BILLED).all()
    return [Billed(LedgerKey(row.due_date, row.lease_id), *row[2:]) for row in rows]


@dataclass(frozen=True)
class Paid:
    """An invoice's money: received at Paystack, recorded in LeaseUp and in how many rows."""

    request_code: str
    status: str
    received_cents: int
    recorded_cents: int
    rows: int


def payments(world: World, codes: Sequence[str]) -> list[Paid]:
    """How the invoices of these payment requests were paid, on both sides."""
    received = {r.request_code: r.amount_paid for r in world.paystack.payment_requests}
    with world.engine.connect() as connection:
        found = connection.execute(_PAYMENTS, {"codes": list(codes)}).all()
    return [Paid(row.code, row.status, received[row.code], row.cents, row.rows) for row in found]


@dataclass(frozen=True)
class Cancelled:
    """How a month stands that was cancelled: at Paystack, in LeaseUp and in our ledger."""

    archived: bool
    status: str
    state: str


def cancelled(world: World, lease_id: str) -> tuple[str, Cancelled]:
    """The payment request's code of the lease's one month, and how it stands."""
    with world.engine.connect() as connection:
        row = connection.execute(_STATUS, {"lease_id": lease_id}).one()
    (request,) = [r for r in world.paystack.payment_requests if r.request_code == row.code]
    return row.code, Cancelled(request.archived, row.status, row.state)


def timeline(world: World, lease_id: str, today: date) -> str:
    """What `leaseup-dagster explain` prints of the lease."""
    notified = load(world.engine, Rules(TaskSettings(), ReminderSettings()), lease_id, today)
    return as_text(notified.headline, notified.sections())


def months_at_paystack(world: World) -> Counter[LedgerKey]:
    """How many payment requests each month has that was billed by this product, and stands."""
    live = (request for request in world.paystack.payment_requests if not request.archived)
    said = (request.metadata for request in live if request.metadata)
    return Counter(
        LedgerKey(date.fromisoformat(about["due_date"]), about["lease_id"]) for about in said
    )


def eligibilities(world: World, today: date) -> dict[str, str | None]:
    """Lease → why it would be skipped today, or None where it would be billed."""
    with world.engine.connect() as connection:
        seen = evaluate(connection, today, TaskSettings(), limit=1000)
    return {
        eligibility.key.lease_id: eligibility.reason for eligibility in (*seen.bill, *seen.skip)
    }


def payment_rows(world: World) -> int:
    """Each payment of the demo is written down once."""
    with world.engine.connect() as connection:
        return int(connection.execute(_PAYMENT_ROWS).scalar_one())


def new_invoices(world: World) -> int:
    """Billed in the demo, of landlords who are notified."""
    with world.engine.connect() as connection:
        return int(connection.execute(_NEW_INVOICES).scalar_one())


def notified(world: World) -> dict[str, int]:
    """How many invoices and payments landlords were notified of."""
    with world.engine.connect() as connection:
        return {kind: number for kind, number in connection.execute(_TOLD)}


def owed(world: World, as_of: date) -> Arrears:
    with world.engine.begin() as connection:
        return arrears(connection, as_of, 10)


def owed_cents(world: World) -> int:
    """What open invoices say, less what was paid on them: added up a second time."""
    with world.engine.connect() as connection:
        return int(connection.execute(_OWED).scalar_one())
