"""SQL: the invoice ledger. Each function is one statement and one change of state.

`planned → requesting → invoiced`, or `→ refused`, or `→ cancelled`. A statement names the state
it expects, so that of two workers only one can make a change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    func,
    literal,
    select,
    text,
    tuple_,
    update,
)

from leaseup_dagster.database.leaseup import customer_code, tenant
from leaseup_dagster.database.ledgers import invoice_ledger as ledger
from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.invoicing.ledger.queries import Unanswered, among
from leaseup_dagster.invoicing.rules.skip_reasons import SkipReason


@dataclass(frozen=True)
class Claim:
    """A claimed row that its owner may send, and what to say in it. Amount in cents."""

    key: LedgerKey
    reference: str
    customer_code: str
    tenant_id: str
    amount_cents: int
    currency: str
    description: str
    split_code: str | None
    attempted_at: datetime


_REOPEN = text(
    """
    UPDATE leaseup_dagster.invoice_ledger AS ledger
    SET state = 'cancelled', billing = billing + 1, updated_at = now()
    WHERE lease_id = :lease_id AND due_date = :due_date
      AND state IN ('invoiced', 'refused', 'cancelled')
      -- Also the one it made, wherever its due date was moved to.
      AND NOT EXISTS (SELECT FROM invoice
                      WHERE invoice.id = ledger.invoice_id AND status <> 'CANCELLED')
      AND 'CANCELLED' = ALL (
          SELECT status::text FROM invoice
          WHERE "leaseId" = :lease_id AND category = 'RENT' AND "dueDate" = :due_date)
    """
)


def reopen_cancelled(connection: Connection, key: LedgerKey) -> None:
    """Let a month whose invoices are all cancelled be planned again, under a new reference."""
    connection.execute(_REOPEN, {"lease_id": key.lease_id, "due_date": key.due_date})


_NO_CUSTOMER = {
    "state": "refused",
    "error": literal("No Paystack customer ID found for tenant ") + ledger.c.tenant_id,
    "updated_at": func.now(),
}


def refuse_without_customer(connection: Connection, keys: Sequence[LedgerKey]) -> list[str]:
    """Refuse what is planned for a tenant without a Paystack customer; the tenants' ids."""
    return list(
        connection.execute(
            update(ledger)
            .where(
                ledger.c.state == "planned",
                among(keys),
                tenant.c.id == ledger.c.tenant_id,
                customer_code.is_(None),
            )
            .values(_NO_CUSTOMER)
            .returning(tenant.c.id)
        ).scalars()
    )


def claim(connection: Connection, key: LedgerKey) -> Claim | None:
    """Claim a planned row: `requesting`, to be committed before its request leaves.

    None if it is no longer planned, or another worker is just claiming it.
    """
    free = (
        select(ledger.c.lease_id, ledger.c.due_date)
        .where(_is(key), ledger.c.state == "planned")
        .with_for_update(skip_locked=True)
    )
    row = connection.execute(
        update(ledger)
        .where(
            tuple_(ledger.c.lease_id, ledger.c.due_date).in_(free),
            tenant.c.id == ledger.c.tenant_id,
            customer_code.is_not(None),
        )
        .values(
            state="requesting",
            attempts=ledger.c.attempts + 1,
            attempted_at=func.clock_timestamp(),
            customer_code=customer_code,
            updated_at=func.now(),
        )
        .returning(ledger)
    ).first()
    if row is None:
        return None
    return Claim(
        key=LedgerKey(row.due_date, row.lease_id),
        reference=row.reference,
        customer_code=row.customer_code,
        tenant_id=row.tenant_id,
        amount_cents=row.amount_cents,
        currency=row.currency,
        description=row.description,
        split_code=row.split_code,
        attempted_at=row.attempted_at,
    )


def withdraw(connection: Connection, attempt: Unanswered, reason: SkipReason) -> None:
    """It was found, and is cancelled for the reason: another invoice stands for the month. Should
    it ever be billed again, then under a new reference."""
    taken_back = _as_it_was(attempt).values(
        state="cancelled",
        error=reason.value,
        billing=ledger.c.billing + 1,
        updated_at=func.now(),
    )
    connection.execute(taken_back)


_NEVER_ARRIVED = "Not found at Paystack when it had settled: the request never arrived"


def plan_again(connection: Connection, attempt: Unanswered) -> bool:
    """Back to planned: it has settled and is not at Paystack. Today's rules decide whether it is
    sent again. False: another worker has it."""
    done = connection.execute(
        _as_it_was(attempt).values(state="planned", error=_NEVER_ARRIVED, updated_at=func.now())
    )
    return done.rowcount > 0


def release(connection: Connection, claimed: Claim, why: str) -> None:
    """Back to planned: certainly nothing of this attempt reached Paystack."""
    connection.execute(_while_claimed(claimed).values(state="planned", error=why))


def leave_unanswered(connection: Connection, claimed: Claim, why: str) -> None:
    """It stays `requesting`, with the reason: whoever comes next checks first."""
    connection.execute(_while_claimed(claimed).values(error=why))


def refuse(connection: Connection, claimed: Claim, why: str) -> None:
    """Paystack will not take it as it is; a person must act."""
    connection.execute(_while_claimed(claimed).values(state="refused", error=why))


def line_items(cents: str) -> str:
    """SQL: what LeaseUp's invoice page and PDF show of a rent of so many `cents`, in rands."""
    return (
        "jsonb_build_array(jsonb_build_object('name', 'Rent', 'quantity', 1,"
        f" 'rate', {cents} / 100.0, 'amount', {cents} / 100.0))"
    )


_RECORDING = """
    WITH done AS (
        UPDATE leaseup_dagster.invoice_ledger AS ledger
        SET state = 'invoiced', request_code = :request_code, invoice_id = :invoice_id,
            amount_cents = :amount_cents, adopted = :adopted, error = NULL, updated_at = now(),
            made_at = coalesce(:made_at, made_at), archived_at = NULL
        WHERE lease_id = :lease_id AND due_date = :due_date
          AND state = 'requesting' AND reference = :reference
        RETURNING *
    )
    INSERT INTO invoice (
        id, "leaseId", "tenantId", "landlordId", description, "dueAmount", category, status,
        "paystackId", "paymentRequestUrl", "dueDate", "lineItems", "recurringBillableId",
        "offlineReference", "updatedAt"{column}
    -- What was deleted meanwhile must not keep the invoice from being recorded.
    SELECT invoice_id, (SELECT id FROM lease WHERE lease.id = done.lease_id),
           tenant_id, landlord_id, description, amount_cents / 100.0,
           'RENT', CAST(:status AS "InvoiceStatus"), request_code,
           'https://paystack.shop/pay/' || request_code, due_date,
           {items},
           (SELECT id FROM recurring_billable WHERE recurring_billable.id
               = done.recurring_billable_id), :offline_reference, timezone('UTC', now()){value}
    FROM done
    RETURNING id
"""
_ITEMS = line_items("amount_cents")
_RECORD = text(_RECORDING.format(items=_ITEMS, column=")", value=""))
# With a number of its own: a sequence does not go back with what is rolled back.
_REHEARSE = text(
    _RECORDING.format(
        items=_ITEMS, column=', "invoiceNumber") OVERRIDING SYSTEM VALUE', value=", :number"
    )
)


def record(
    connection: Connection,
    key: LedgerKey,
    reference: str,
    *,
    invoice_id: str,
    request_code: str,
    offline_reference: str,
    amount_cents: int,
    made_at: datetime | None = None,
    adopted: bool = False,
    status: str = "PENDING",
    number: int | None = None,
) -> bool:
    """The invoice row and the ledger's `invoiced`, in one statement.

    `number` is for a rehearsal, which must use up none of LeaseUp's. `made_at` comes from
    Paystack's answer to the request, not by what was found later.
    False if the row was not `requesting` under this reference any more: nothing was written.
    """
    written = connection.execute(
        _RECORD if number is None else _REHEARSE,
        {
            "lease_id": key.lease_id,
            "due_date": key.due_date,
            "reference": reference,
            "invoice_id": invoice_id,
            "request_code": request_code,
            "offline_reference": offline_reference,
            "amount_cents": amount_cents,
            "made_at": made_at,
            "adopted": adopted,
            "status": status,
            **({} if number is None else {"number": number}),
        },
    ).scalar()
    return written is not None


def point_at_invoice(
    connection: Connection, key: LedgerKey, reference: str, *, invoice_id: str, request_code: str
) -> bool:
    """The ledger's `invoiced` for a payment request that LeaseUp has an invoice of already."""
    updated = connection.execute(
        update(ledger)
        .where(_is(key), ledger.c.state == "requesting", ledger.c.reference == reference)
        .values(
            state="invoiced",
            request_code=request_code,
            invoice_id=invoice_id,
            adopted=True,
            error=None,
            archived_at=None,
            updated_at=func.now(),
        )
    )
    return updated.rowcount == 1


def _as_it_was(attempt: Unanswered) -> Any:
    """The row without an answer, unless somebody has claimed it since."""
    return update(ledger).where(
        _is(attempt.key),
        ledger.c.state == "requesting",
        ledger.c.attempted_at == attempt.attempted_at,
    )


def _while_claimed(claimed: Claim) -> Any:
    return (
        update(ledger)
        .where(
            _is(claimed.key),
            ledger.c.state == "requesting",
            ledger.c.attempted_at == claimed.attempted_at,
        )
        .values(updated_at=func.now())
    )


def _is(key: LedgerKey) -> ColumnElement[bool]:
    return and_(ledger.c.lease_id == key.lease_id, ledger.c.due_date == key.due_date)
