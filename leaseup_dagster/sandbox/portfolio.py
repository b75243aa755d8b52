"""The demo's leases, laid around `today`: every case that billing knows, and what comes of it.

Shows the same on any day of any year. What makes a run fail, such as an e-mail address that
Paystack refuses, is left to the tests: a red run would hide what the demo is for.
"""

import itertools
from calendar import isleap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, text

from leaseup_dagster.invoicing.rules.due_dates import due_date, is_due_date, next_due_date
from leaseup_dagster.invoicing.rules.skip_reasons import SkipReason
from leaseup_dagster.sandbox.builders import (
    a_landlord,
    a_lease,
    a_recurring_billable,
    a_tenant,
    a_transaction,
    a_unit,
    an_invoice,
)
from leaseup_dagster.sandbox.mirror import KNOWN

_NO_CUSTOMER = {"paystackCustomerId": None}


@dataclass(frozen=True)
class Earlier:
    """An invoice LeaseUp has already made, due `days` after the due date `months` from the next."""

    status: str
    category: str = "RENT"
    months: int = 0
    days: int = 0
    dated: bool = True


@dataclass(frozen=True)
class Case:
    """One lease. `skipped` is why it gets no invoice; None: it is billed.

    Rent falls due `due_in` days from today, unless `starts` gives the lease's start; `ends` is
    in days after that due date.
    """

    lease_id: str
    shows: str
    skipped: SkipReason | None = None
    due_in: int = 20
    starts: Callable[[date], date] | None = None
    ends: int | None = None
    earlier: Earlier | None = None
    lease: Mapping[str, Any] = field(default_factory=dict)
    landlord: str = "landlord-dlamini"
    tenants: tuple[str, ...] | None = None
    unit: Mapping[str, Any] | None = field(default_factory=dict)
    rule: bool = False
    # In cents: this product billed the month before.
    ours: int | None = None
    same_home_as: str = ""

    @property
    def is_automatic(self) -> bool:
        """Without automatic invoicing a lease is not even listed."""
        return self.skipped is not SkipReason.NOT_AUTOMATIC

    @property
    def tenant_ids(self) -> tuple[str, ...]:
        """One of its own unless the case says otherwise."""
        return (f"tenant-of-{self.lease_id}",) if self.tenants is None else self.tenants


def _in_days(days: int) -> Callable[[date], date]:
    return lambda today: today + timedelta(days=days)


def _a_31st(today: date) -> date:
    return date(today.year - 1, 1, 31)


def _a_29th_of_february(today: date) -> date:
    leap_year = next(year for year in itertools.count(today.year - 1, -1) if isleap(year))
    return date(leap_year, 2, 29)


Skip = SkipReason
LEASES = (
    # Billed.
    Case("lease-plain", "Rent due in 12 days", due_in=12),
    Case("lease-due-today", "Rent due today", due_in=0),
    Case("lease-due-tomorrow", "Rent due tomorrow", due_in=1),
    Case("lease-due-yesterday", "Yesterday's month is paid; the next one is billed",
         starts=lambda today: start_before(today - timedelta(days=1)),
         earlier=Earlier("PAID", months=-1)),
    Case("lease-31st", "Due on the 31st, or on the last day of a shorter month", starts=_a_31st),
    Case("lease-29-february", "Began on a 29 February", starts=_a_29th_of_february),
    Case("lease-starts-today", "The first rent is due on the first day", starts=_in_days(0)),
    Case("lease-starts-in-future", "Begins in 30 days: its first month", starts=_in_days(30)),
    Case("lease-starts-on-day-50", "The last day that is examined", starts=_in_days(50)),
    Case("lease-other-month-unpaid", "Last month is unpaid; this one is billed all the same",
         earlier=Earlier("PENDING", months=-1)),
    Case("lease-deposit-unpaid", "An unpaid deposit is another matter",
         earlier=Earlier("PENDING", "DEPOSIT")),
    Case("lease-co-tenants", "Billed to the tenant LeaseUp has known longest", due_in=16,
         tenants=("tenant-newer", "tenant-since-2020")),
    Case("lease-second-home", "A second lease of one tenant", due_in=5,
         tenants=("tenant-of-lease-plain",)),
    Case("lease-new-tenant", "No Paystack customer yet: made on the way", due_in=23,
         tenants=("tenant-new",)),
    Case("lease-same-email", "One person, two landlords, one Paystack customer", due_in=3,
         landlord="landlord-naidoo", tenants=("tenant-new-elsewhere",)),
    Case("lease-no-split", "Its landlord has no split group: settles on the platform's account",
         due_in=7, landlord="landlord-without-split"),
    Case("lease-landlord-cancelled", "Its landlord's subscription plays no part", due_in=14,
         landlord="landlord-cancelled"),
    Case("lease-property-inactive", "Its property's status plays no part", due_in=25,
         unit={"propertyStatus": "INACTIVE"}),
    Case("lease-currency-zar-lowercase", "Its currency is written ' zar '", due_in=10,
         lease={"rentDueCurrency": " zar "}),
    Case("lease-rent-half-a-cent", "R7 250.125 becomes R7 250.13", due_in=18,
         lease={"rent": 7250.125}),
    Case("lease-rent-minimum", "R1.00 is Paystack's minimum", due_in=21, lease={"rent": 1.0}),
    Case("lease-recurring-rule", "The invoice carries LeaseUp's own rent rule", due_in=6,
         rule=True),
    Case("lease-answer-lost", "Paystack's answer is lost on the way: found again, not sent again",
         due_in=15),
    # Skipped.
    Case("lease-paid-early", "This month is paid", Skip.ALREADY_INVOICED, earlier=Earlier("PAID")),
    Case("lease-partly-paid", "R4 000.00 of this month was paid in cash", Skip.ALREADY_INVOICED,
         earlier=Earlier("PARTIALLY_PAID")),
    Case("lease-invoiced-by-app", "LeaseUp sent this month itself", Skip.ALREADY_INVOICED,
         earlier=Earlier("PENDING")),
    Case("lease-invoice-draft", "This month is a draft", Skip.ALREADY_INVOICED,
         earlier=Earlier("DRAFT")),
    Case("lease-cancelled-by-person", "A person cancelled this month", Skip.CANCELLED_BY_PERSON,
         earlier=Earlier("CANCELLED")),
    Case("lease-invoiced-nearby", "A rent invoice two days before", Skip.INVOICED_NEARBY,
         earlier=Earlier("PENDING", days=-2)),
    Case("lease-rent-raised", "Billed at R8 000.00, and the rent was raised since",
         Skip.BILLED_ANOTHER_AMOUNT, ours=800_000, earlier=Earlier("PENDING")),
    Case("lease-invoice-deleted", "Billed, and its invoice was deleted", Skip.INVOICE_DELETED,
         ours=850_000),
    Case("lease-undated-invoice", "A rent invoice without a due date", Skip.UNDATED_INVOICE,
         earlier=Earlier("PENDING", dated=False)),
    Case("lease-start-moved", "Billed for a day ten days before: its start was moved",
         Skip.NEAR_A_BILLED_MONTH, rule=True, earlier=Earlier("PENDING", days=-10)),
    Case("lease-before-renewal", "Was renewed; its month is billed", Skip.ALREADY_INVOICED,
         due_in=19, lease={"status": "RENEWED"}, earlier=Earlier("PENDING")),
    Case("lease-renewal", "The renewal: same unit, same tenant, same month",
         Skip.BILLED_UNDER_ANOTHER_LEASE, due_in=19, same_home_as="lease-before-renewal",
         tenants=("tenant-of-lease-before-renewal",)),
    Case("lease-past-its-end", "ACTIVE, and its end has passed", Skip.PAST_ITS_END, ends=-40),
    Case("lease-ends-on-due-date", "Ends on the very day rent falls due", Skip.ENDS_ON_DUE_DATE,
         due_in=9, ends=0),
    Case("lease-ends-first", "Ends the day before rent falls due", Skip.LEASE_ENDS_FIRST, ends=-1),
    Case("lease-ended", "Is over", Skip.NOT_ACTIVE, lease={"status": "ENDED"}),
    Case("lease-pending", "Is not signed yet", Skip.NOT_ACTIVE, lease={"status": "PENDING"}),
    Case("lease-starts-on-day-51", "One day too far ahead", Skip.NOT_YET_DUE, starts=_in_days(51)),
    Case("lease-no-unit", "Has no unit", Skip.NO_UNIT, unit=None),
    Case("lease-no-tenant", "Has no tenant", Skip.NO_TENANT, tenants=()),
    Case("lease-usd", "Rent in dollars", Skip.CURRENCY_NOT_RAND, lease={"rentDueCurrency": "USD"}),
    Case("lease-rent-nan", "Rent is not a number", Skip.RENT_INVALID, lease={"rent": float("nan")}),
    Case("lease-rent-zero", "Rent of R0.00", Skip.RENT_INVALID, lease={"rent": 0.0}),
    Case("lease-rent-99-cents", "Below Paystack's minimum", Skip.RENT_INVALID,
         lease={"rent": 0.99}),
    # Without automatic invoicing a lease is not even listed.
    Case("lease-not-automatic", "Billed manually", Skip.NOT_AUTOMATIC,
         lease={"automaticInvoice": False}),
)  # fmt: skip

LANDLORDS: Mapping[str, Mapping[str, Any]] = {
    "landlord-dlamini": {},
    "landlord-naidoo": {"name": "Priya Naidoo", "businessName": "Naidoo Homes"},
    "landlord-without-split": {"businessName": "Botha Rentals", "paystackSplitGroupId": None},
    "landlord-cancelled": {
        "businessName": "Karoo Stays", "paystackSubscriptionStatus": "CANCELLED",
    },
}  # fmt: skip

TENANTS: Mapping[str, Mapping[str, Any]] = {
    "tenant-of-lease-other-month-unpaid": {"phone": "082 555 0301"},
    "tenant-since-2020": {"createdAt": date(2020, 1, 1)},
    "tenant-new": {**_NO_CUSTOMER, "email": "lindiwe@example.com"},
    "tenant-new-elsewhere": {**_NO_CUSTOMER, "email": "lindiwe@example.com"},
}


_UNIT_OF = text('SELECT "unitId" FROM lease WHERE id = :lease')
_BILLED_BEFORE = text(
    """
    INSERT INTO leaseup_dagster.invoice_ledger (
        lease_id, due_date, reference, tenant_id, landlord_id, amount_cents, currency, description,
        state, invoice_id, request_code, attempted_at, customer_code, planned_at)
    VALUES (:lease, :due, 'LU-DEMO-' || :lease, :tenant, 'landlord-dlamini', :cents, 'ZAR', 'Rent',
            'invoiced', 'invoice-of-' || :lease, 'PRQ_of_' || :lease, now() - interval '2 days',
            'CUS_known', now() - interval '2 days')
    """
)


def lay_out_leases(connection: Connection, today: date) -> None:
    """Write `LEASES` into LeaseUp's empty tables."""
    for landlord_id, columns in LANDLORDS.items():
        a_landlord(connection, id=landlord_id, **columns)
    tenants: set[str] = set()
    for number, case in enumerate(LEASES, start=1):
        for tenant_id in set(case.tenant_ids) - tenants:
            columns = {"paystackCustomerId": KNOWN, **TENANTS.get(tenant_id, {})}
            a_tenant(connection, case.landlord, id=tenant_id, **columns)
        tenants.update(case.tenant_ids)
        _lay_out(connection, case, today, number)


def _lay_out(connection: Connection, case: Case, today: date, number: int) -> None:
    start = case.starts(today) if case.starts else start_before(today + timedelta(case.due_in))
    due = next_due_date(start, today)
    unit = None
    if case.same_home_as:
        unit = connection.execute(_UNIT_OF, {"lease": case.same_home_as}).scalar_one()
    elif case.unit is not None:
        unit = a_unit(connection, case.landlord, name=f"Unit {number}", **case.unit)
    end = None if case.ends is None else due + timedelta(days=case.ends)
    lease = a_lease(
        connection, id=case.lease_id, start=start, landlord=case.landlord, unit=unit,
        tenants=case.tenant_ids, endDate=end, **case.lease,
    )  # fmt: skip
    rule = a_recurring_billable(connection, lease, case.tenant_ids[0]) if case.rule else None
    if case.ours:
        values = {"lease": lease, "due": due, "cents": case.ours, "tenant": case.tenant_ids[0]}
        connection.execute(_BILLED_BEFORE, values)
    if case.earlier:
        made = case.earlier
        months = next(n for n in itertools.count() if due_date(start, n) == due)
        day = due_date(start, months + made.months) + timedelta(days=made.days)
        invoice = an_invoice(
            connection, lease, day if made.dated else None, id=f"invoice-of-{lease}",
            status=made.status, category=made.category, recurringBillableId=rule,
            dueAmount=(case.ours or 850_000) / 100, createdAt=today - timedelta(days=3),
        )  # fmt: skip
        if made.status == "PARTIALLY_PAID":
            at = today - timedelta(days=2)
            a_transaction(connection, invoice, 4000.0, createdAt=at)


def start_before(due: date) -> date:
    """A start, more than a year before `due`, from which rent does fall due on `due`.

    Not every one does: counted from 28 February, the 31st never comes.
    """
    starts = (due_date(due, -months) for months in itertools.count(13))
    return next(start for start in starts if is_due_date(start, due))
