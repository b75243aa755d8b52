"""The demo's overdue invoices: who is texted for them, and who is not and why.

They belong to leases without automatic invoicing, so that billing has nothing to do with them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection

from leaseup_dagster.sandbox.builders import (
    a_landlord,
    a_lease,
    a_tenant,
    a_transaction,
    a_unit,
    an_invoice,
)
from leaseup_dagster.sandbox.mirror import KNOWN, PAID_BEHIND_OUR_BACK


@dataclass(frozen=True)
class Arrears:
    """One invoice. `texted` are the numbers that get a text the first time, as E.164.

    `phones` are the tenants' as they were typed; `paid` is in rands, in cash; `is_there`: the
    invoice comes with the leases.
    """

    invoice_id: str
    shows: str
    texted: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    days_overdue: int = 4
    paid: float = 0
    has_lease: bool = True
    is_there: bool = False
    invoice: Mapping[str, Any] = field(default_factory=dict)


INVOICES = (
    # Texted.
    Arrears("late-4-days", "The first day on which a text goes out",
            ("+27825550104",), ("082 555 0104",)),
    Arrears("late-11-days", "After a pause: one text, not the one it missed as well",
            ("+27835550111",), ("+27 83 555 0111",), days_overdue=11,
            invoice={"status": "OVERDUE"}),
    Arrears("late-partly-paid", "R5 000.00 in cash was recorded: R3 500.00 is due",
            ("+27725550112",), ("0725550112",), paid=5000, invoice={"status": "PARTIALLY_PAID"}),
    Arrears("late-co-tenants", "Both tenants of the lease",
            ("+27605550113", "+27615550114"), ("060 555 0113", "061-555-0114")),
    Arrears("late-one-number", "Two tenants, one number: one text",
            ("+27715550115",), ("071 555 0115", "+27715550115")),
    Arrears("late-foreign-number", "A mobile number of another country",
            ("+447911123456",), ("+44 7911 123456",)),
    Arrears("late-no-lease", "An invoice without a lease: its own tenant",
            ("+27785550116",), ("078 555 0116",), has_lease=False),
    Arrears("late-water", "A water bill is not called rent",
            ("+27795550117",), ("079 555 0117",), invoice={"category": "WATER_ELECTRICITY"}),
    Arrears("invoice-of-lease-other-month-unpaid", "Of a lease that billing also knows",
            ("+27825550301",), is_there=True),
    # Not texted.
    Arrears("late-3-days", "Overdue, and not yet more than 3 days", phones=("082 555 0203",),
            days_overdue=3),
    Arrears("late-paid-at-paystack", "Paid at Paystack, which LeaseUp has not heard of",
            phones=("082 555 0204",), invoice={"paystackId": PAID_BEHIND_OUR_BACK}),
    Arrears("late-settled", "Payments recorded in LeaseUp cover it", phones=("082 555 0205",),
            paid=8500),
    Arrears("late-landline", "A landline cannot be texted", phones=("021 555 0206",)),
    Arrears("late-two-numbers", "Two numbers in one field: we do not guess",
            phones=("0825550207 / 0835550208",)),
    Arrears("late-cancelled", "Cancelled", phones=("082 555 0209",),
            invoice={"status": "CANCELLED"}),
    Arrears("late-draft", "A draft", phones=("082 555 0210",), invoice={"status": "DRAFT"}),
    Arrears("late-paid", "Paid", phones=("082 555 0211",), invoice={"status": "PAID"}),
)  # fmt: skip


def lay_out_arrears(connection: Connection, today: date) -> None:
    """Write `INVOICES` and what they need into LeaseUp's tables."""
    landlord = a_landlord(connection, id="landlord-arrears", businessName="Mokoena Lettings")
    for number, case in enumerate(INVOICES, start=1):
        if not case.is_there:
            unit = a_unit(connection, landlord, name=f"Unit {number}", property="Protea Hof")
            _lay_out(connection, case, unit, landlord, today - timedelta(days=case.days_overdue))


def _lay_out(connection: Connection, case: Arrears, unit: str, landlord: str, due: date) -> None:
    tenants = [
        a_tenant(
            connection, landlord, id=f"tenant-{number}-of-{case.invoice_id}", phone=phone,
            paystackCustomerId=KNOWN,
        )
        for number, phone in enumerate(case.phones, start=1)
    ]  # fmt: skip
    lease = None
    columns = {"tenantId": tenants[0], "landlordId": landlord}
    if case.has_lease:
        lease = a_lease(
            connection, id=f"lease-{case.invoice_id}", start=due - timedelta(days=200),
            landlord=landlord, unit=unit, tenants=tenants, automaticInvoice=False,
        )  # fmt: skip
    invoice = an_invoice(connection, lease, due, id=case.invoice_id, **columns, **case.invoice)
    if case.paid:
        a_transaction(connection, invoice, case.paid)
