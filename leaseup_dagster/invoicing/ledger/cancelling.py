"""SQL: which invoices a person wants back, and each change of state on the way there.

`invoiced → cancelling → cancelled`, or back to `invoiced`. A statement names the state it expects
and never touches an invoice on which anything was paid.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, text

from leaseup_dagster.database import ids
from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.pickled import pickled_as


@pickled_as("leaseup_dagster.invoicing.undoing.Undoing")
@dataclass(frozen=True)
class CancellationTarget:
    """An invoice that is to be cancelled, and a person's reason."""

    invoice_id: str
    key: LedgerKey
    request_code: str
    reason: str
    # What the ledger billed.
    amount_cents: int = 0


@pickled_as("leaseup_dagster.invoicing.undoing.Chosen")
@dataclass(frozen=True)
class Chosen:
    """What was asked for: what can be tried, and why the rest cannot, by what was typed."""

    invoices: tuple[CancellationTarget, ...]
    already: tuple[CancellationTarget, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    # Also where Paystack does not know the payment request.
    without_paystack: bool = False
    # Only to be shown: nothing may be changed.
    look_only: bool = False
    # What else a person should know who only previews.
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class CancellationStatus:
    """The ledger's state of an invoice's month, and whether a payment is recorded."""

    state: str
    is_paid: bool


@dataclass(frozen=True)
class InLeaseUp:
    """An invoice's status in LeaseUp, and whether a payment is recorded for it."""

    status: str
    has_payments: bool


_OF_INVOICES = text(
    """
    SELECT wanted.id, ledger.due_date, ledger.lease_id, ledger.request_code, ledger.state,
           ledger.error, ledger.amount_cents, invoice.status::text AS status
    FROM unnest(CAST(:ids AS text[])) WITH ORDINALITY AS wanted (id, place)
    LEFT JOIN invoice ON invoice.id = wanted.id
    LEFT JOIN leaseup_dagster.invoice_ledger AS ledger ON ledger.invoice_id = wanted.id
    ORDER BY wanted.place
    """
)

_OF_MONTH = text(
    """
    SELECT invoice_id AS id, due_date, lease_id, request_code, state, error, amount_cents
    FROM leaseup_dagster.invoice_ledger WHERE lease_id = :lease_id AND due_date = :due_date
    """
)

_LEFT_OVER = text(
    """
    SELECT invoice_id AS id, due_date, lease_id, request_code, state, error, amount_cents
    FROM leaseup_dagster.invoice_ledger WHERE state = 'cancelling' ORDER BY updated_at
    """
)

_NOT_YET = {
    "planned": "is planned and not sent. To stop it, switch off automatic invoicing on the lease",
    "refused": "was refused, so there is no invoice",
    "requesting": "has no answer from Paystack yet. Launch check_upcoming_invoices first",
    "cancelled": "was never invoiced: it was withdrawn",
}


def of_invoices(connection: Connection, invoice_ids: Sequence[str], reason: str) -> Chosen:
    """Those of the ids that this product invoiced, each once."""
    rows = connection.execute(_OF_INVOICES, {"ids": list(dict.fromkeys(invoice_ids))}).all()
    ours = [row for row in rows if row.state in ("invoiced", "cancelling")]
    already = [row for row in rows if row.state == "cancelled"]
    others = [row for row in rows if row.state is None]
    return Chosen(
        invoices=tuple(_target(row, reason) for row in ours),
        already=tuple(_target(row, row.error or reason) for row in already),
        refused=tuple((row.id, _why_not_ours(connection, row)) for row in others),
    )


def of_month(connection: Connection, key: LedgerKey, reason: str) -> Chosen:
    """The invoice of one month."""
    named = f"lease {key.lease_id}, due {key.due_date}"
    row = connection.execute(_OF_MONTH, key.__dict__).first()
    if row is None:
        return Chosen((), refused=((named, "this product has made no invoice for this month"),))
    if row.id is None or row.state not in ("invoiced", "cancelling", "cancelled"):
        return Chosen((), refused=((named, f"this month {_NOT_YET[row.state]}"),))
    if row.state == "cancelled":
        return Chosen((), already=(_target(row, row.error or reason),))
    return Chosen((_target(row, reason),))


def left_over(connection: Connection) -> list[CancellationTarget]:
    """What earlier runs began and did not finish, each with its own reason."""
    return [_target(row, row.error) for row in connection.execute(_LEFT_OVER)]


_ROW = "lease_id = :lease_id AND due_date = :due_date AND invoice_id = :id"

_UNPAID = """
    NOT EXISTS (SELECT FROM invoice WHERE id = :id AND status IN ('PAID', 'PARTIALLY_PAID'))
    AND NOT EXISTS (SELECT FROM transaction WHERE "invoiceId" = :id)
"""

_MARK = text(
    f"""
    UPDATE leaseup_dagster.invoice_ledger
    SET state = 'cancelling', error = :reason, updated_at = now()
    WHERE {_ROW} AND state = 'invoiced' AND {_UNPAID}
    """
)

# The row first: of two runs only one gets as far as the invoice, which may have been deleted.
_RECORD = text(
    f"""
    WITH held AS (
        SELECT invoice_id FROM leaseup_dagster.invoice_ledger
        WHERE {_ROW} AND state = 'cancelling' FOR UPDATE
    ),
    undone AS (
        UPDATE invoice SET status = 'CANCELLED', "updatedAt" = timezone('UTC', now())
        WHERE id = (SELECT invoice_id FROM held)
          AND status NOT IN ('PAID', 'PARTIALLY_PAID') AND {_UNPAID}
        RETURNING id
    )
    UPDATE leaseup_dagster.invoice_ledger
    SET state = 'cancelled', error = :reason, updated_at = now()
    WHERE {_ROW} AND EXISTS (SELECT FROM held)
      AND (EXISTS (SELECT FROM undone) OR NOT EXISTS (SELECT FROM invoice WHERE id = :id))
    RETURNING lease_id
    """
)

_GIVE_UP = text(
    f"""
    UPDATE leaseup_dagster.invoice_ledger
    SET state = 'invoiced', error = :why, updated_at = now()
    WHERE {_ROW} AND state = 'cancelling'
    """
)

_IN_LEASEUP = text(
    """
    SELECT invoice.id, invoice.status::text AS status,
           EXISTS (SELECT FROM transaction WHERE "invoiceId" = invoice.id) AS has_payments
    FROM invoice WHERE invoice.id = ANY (CAST(:ids AS text[]))
    """
)

_STATUS = text(
    f"""
    SELECT state, NOT ({_UNPAID}) AS is_paid FROM leaseup_dagster.invoice_ledger
    WHERE lease_id = :lease_id AND due_date = :due_date
    """
)


def claim(connection: Connection, invoice: CancellationTarget) -> None:
    """`cancelling`, unless something was paid. A row that is claimed already stays so."""
    connection.execute(_MARK, _values(invoice))


def record(connection: Connection, invoice: CancellationTarget) -> bool:
    """LeaseUp's CANCELLED and the ledger's `cancelled`, in one statement.

    False if it was not `cancelling` or is paid: nothing was written then.
    """
    return connection.execute(_RECORD, _values(invoice)).first() is not None


def give_up(connection: Connection, invoice: CancellationTarget, why: str) -> None:
    """Back to `invoiced`: it is not to be cancelled."""
    connection.execute(_GIVE_UP, _values(invoice) | {"why": why})


def in_leaseup(
    connection: Connection, invoices: Sequence[CancellationTarget]
) -> dict[str, InLeaseUp]:
    """How LeaseUp has each invoice now, by its id; one that was deleted is left out."""
    rows = connection.execute(_IN_LEASEUP, {"ids": [invoice.invoice_id for invoice in invoices]})
    return {row.id: InLeaseUp(row.status, row.has_payments) for row in rows}


def status_of(connection: Connection, invoice: CancellationTarget) -> CancellationStatus:
    """The month's state in the ledger, and whether LeaseUp has a payment of the invoice."""
    row = connection.execute(_STATUS, _values(invoice)).one()
    return CancellationStatus(row.state, row.is_paid)


def _values(invoice: CancellationTarget) -> dict[str, Any]:
    return {
        "id": invoice.invoice_id,
        "lease_id": invoice.key.lease_id,
        "due_date": invoice.key.due_date,
        "reason": invoice.reason,
    }


def _target(row: Row[Any], reason: str) -> CancellationTarget:
    key = LedgerKey(row.due_date, row.lease_id)
    return CancellationTarget(row.id, key, row.request_code, reason, row.amount_cents)


def _why_not_ours(connection: Connection, row: Row[Any]) -> str:
    if row.status == "CANCELLED":
        return "it is CANCELLED in LeaseUp, and this product does not hold it any more"
    if row.status:
        return "this product did not make it. Cancel it in LeaseUp"
    return ids.not_a("an invoice", connection, row.id)
