"""What invoicing records, rehearsed: an invoice, a payment of it, its cancellation."""

import random
import uuid
from datetime import date, datetime, timedelta, timezone
from typing import Any

from sqlalchemy import Connection, func, insert, select

from leaseup_dagster.database.leaseup import lease, tenant, tenant_lease
from leaseup_dagster.database.ledgers import invoice_ledger
from leaseup_dagster.database.rehearsal import Scene, Stage
from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.invoicing.ledger import cancelling, transitions
from leaseup_dagster.invoicing.ledger.cancelling import CancellationTarget
from leaseup_dagster.invoicing.payments import records
from leaseup_dagster.invoicing.payments.receipts import Payment

_LATER_DAYS = (400, 4000)
"""Beyond any month that is planned: no other run's row is waited for."""

_CENTS = 100_000

_TENANCY = (
    select(tenant_lease.c.leaseId, tenant_lease.c.tenantId, tenant.c.landlordId)
    .join(tenant, tenant.c.id == tenant_lease.c.tenantId)
    .join(lease, lease.c.id == tenant_lease.c.leaseId)
    .limit(1)
)


def invoiced(as_of: date) -> Scene:
    """An invoice is recorded for a month beyond all planned ones of some lease."""

    def scene(stage: Stage) -> None:
        _invoice(stage, as_of)

    return scene


def paid(as_of: date) -> Scene:
    """A payment of such an invoice is recorded, and the invoice PAID."""

    def scene(stage: Stage) -> None:
        made = _invoice(stage, as_of)
        invoice_id = made.invoice_id if made else ""
        payment = Payment(f"rehearsal-{uuid.uuid4()}", _CENTS, datetime.now(timezone.utc))

        def record(connection: Connection) -> bool:
            open_ = records.lock_if_open(connection, invoice_id)
            if made is not None:
                records.record(connection, invoice_id, payment)
            return open_ or made is None

        def mark(connection: Connection) -> bool:
            return records.mark_paid(connection, invoice_id) or made is None

        stage.act("A payment", record)
        stage.act("PAID on an invoice", mark)

    return scene


def cancelled(as_of: date) -> Scene:
    """Such an invoice is cancelled."""

    def scene(stage: Stage) -> None:
        made = _invoice(stage, as_of)

        def cancel(connection: Connection) -> bool:
            invoice = made or CancellationTarget("", LedgerKey(as_of, ""), "", "rehearsal")
            cancelling.claim(connection, invoice)
            return cancelling.record(connection, invoice) or made is None

        stage.act("CANCELLED on an invoice", cancel)

    return scene


def _invoice(stage: Stage, as_of: date) -> CancellationTarget | None:
    """The invoice that was recorded; None if it was refused, or LeaseUp has no tenancy yet, where
    only the rights to the statement are tried."""
    tenancy = stage.connection.execute(_TENANCY).first()
    reference = f"rehearsal-{uuid.uuid4()}"
    later = as_of + timedelta(days=random.randint(*_LATER_DAYS))  # noqa: S311 - no secret
    invoice = CancellationTarget(
        invoice_id=reference,
        key=LedgerKey(later, tenancy.leaseId if tenancy else ""),
        request_code=reference,
        reason="rehearsal",
    )
    if tenancy is None:
        stage.notes.append("no lease has a tenant yet, so only rights were tried")
    elif not stage.act("A claim in the ledger", lambda c: _requesting(c, invoice, tenancy)):
        return None

    def record(connection: Connection) -> bool:
        recorded = transitions.record(
            connection,
            invoice.key,
            reference,
            invoice_id=invoice.invoice_id,
            request_code=invoice.request_code,
            offline_reference="",
            amount_cents=_CENTS,
            number=-random.randint(1, 2**31 - 1),  # noqa: S311 - no secret
        )
        return recorded or tenancy is None

    return invoice if stage.act("An invoice", record) and tenancy else None


def _requesting(connection: Connection, invoice: CancellationTarget, tenancy: Any) -> None:
    """As if its request had just been claimed."""
    connection.execute(
        insert(invoice_ledger).values(
            lease_id=invoice.key.lease_id,
            due_date=invoice.key.due_date,
            billing=1,
            reference=invoice.request_code,
            tenant_id=tenancy.tenantId,
            landlord_id=tenancy.landlordId,
            amount_cents=_CENTS,
            currency="ZAR",
            description="Rent",
            by_hand=False,
            state="requesting",
            attempts=1,
            attempted_at=func.now(),
            customer_code="CUS_rehearsal",
            adopted=False,
            planned_at=func.now(),
            updated_at=func.now(),
        )
    )
