"""Who is billed, and the reason for everyone who is not: each rule against real rows."""

from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text

from leaseup_dagster.invoicing.keys import Eligibility, LedgerKey
from leaseup_dagster.invoicing.planning import planner
from leaseup_dagster.invoicing.rules.due_dates import next_due_date
from leaseup_dagster.invoicing.rules.skip_reasons import SkipReason
from leaseup_dagster.money import cents_from_rands
from leaseup_dagster.sandbox.builders import (
    a_landlord,
    a_lease,
    a_recurring_billable,
    a_tenant,
    a_unit,
    an_invoice,
)
from leaseup_dagster.settings import TaskSettings

TODAY = date(2026, 11, 24)
FIRST = date(2026, 12, 1)
Lease = Callable[..., LedgerKey]


def verdict_on(connection: Connection, lease_id: str, **task: object) -> Eligibility:
    seen = planner.evaluate(connection, TODAY, TaskSettings(**task), 500)
    return next(v for v in [*seen.bill, *seen.skip] if v.key.lease_id == lease_id)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, None),
        ({"rentDueCurrency": " zar "}, None),
        ({"endDate": FIRST}, SkipReason.ENDS_ON_DUE_DATE),
        ({"endDate": date(2026, 12, 2)}, None),
        ({"endDate": date(2026, 11, 23)}, SkipReason.PAST_ITS_END),
        ({"endDate": TODAY}, SkipReason.LEASE_ENDS_FIRST),
        ({"rent": 1.0}, None),
        ({"rent": 0.995}, None),
        ({"start": TODAY}, None),
        ({"start": date(2027, 1, 13)}, None),  # day 50
        ({"start": date(2027, 1, 14)}, SkipReason.NOT_YET_DUE),  # day 51
        ({"endDate": date(2026, 11, 30)}, SkipReason.LEASE_ENDS_FIRST),
        ({"unit": None}, SkipReason.NO_UNIT),
        ({"tenants": []}, SkipReason.NO_TENANT),
        ({"rentDueCurrency": "USD"}, SkipReason.CURRENCY_NOT_RAND),
        ({"rent": 0.994}, SkipReason.RENT_INVALID),
        ({"rent": 0.0}, SkipReason.RENT_INVALID),
        ({"rent": -8500.0}, SkipReason.RENT_INVALID),
        ({"rent": float("nan")}, SkipReason.RENT_INVALID),
        ({"rent": float("inf")}, SkipReason.RENT_INVALID),
        ({"rent": 1e300}, SkipReason.RENT_INVALID),
        *[
            ({"status": status}, SkipReason.NOT_ACTIVE)
            for status in ("PENDING", "INACTIVE", "EXPIRED", "ENDED", "RENEWED")
        ],
    ],
)
def test_a_lease_is_billed_or_has_its_reason(
    connection: Connection, values: dict[str, object], reason: SkipReason | None
) -> None:
    lease_id = a_lease(connection, **({"start": date(2026, 1, 1)} | values))

    assert verdict_on(connection, lease_id).reason == reason


def test_a_lease_without_automatic_invoicing_is_not_looked_at(connection: Connection) -> None:
    a_lease(connection, start=date(2026, 1, 1), automaticInvoice=False)

    seen = planner.evaluate(connection, TODAY, TaskSettings(), 500)

    assert (seen.bill, seen.skip) == ([], [])


@pytest.mark.parametrize(
    ("invoice", "reason"),
    [
        *[({"status": s}, SkipReason.ALREADY_INVOICED)
          for s in ("PENDING", "PAID", "OVERDUE", "PARTIALLY_PAID", "DRAFT")],
        ({"status": "CANCELLED"}, SkipReason.CANCELLED_BY_PERSON),
        ({"due": date(2026, 11, 28)}, SkipReason.INVOICED_NEARBY),
        ({"due": date(2026, 12, 4)}, SkipReason.INVOICED_NEARBY),
        ({"due": date(2026, 11, 27)}, None),
        ({"due": date(2026, 12, 5)}, None),
        ({"due": date(2026, 11, 1), "status": "OVERDUE"}, None),
        ({"category": "DEPOSIT"}, None),
        ({"due": None}, SkipReason.UNDATED_INVOICE),
        ({"due": None, "status": "CANCELLED"}, None),
        ({"due": None, "category": "DEPOSIT"}, None),
        ({"due": None, "createdAt": date(2026, 9, 29)}, None),  # 63 days before
    ],
)  # fmt: skip
def test_only_a_rent_invoice_of_this_month_stands_in_the_way(
    connection: Connection, invoice: dict[str, object], reason: SkipReason | None
) -> None:
    lease_id = a_lease(connection, start=date(2026, 1, 1))
    values = {"due": FIRST} | invoice
    an_invoice(connection, lease_id, values.pop("due"), **values)

    assert verdict_on(connection, lease_id).reason == reason


def test_a_month_billed_again_after_a_cancellation_is_billed(connection: Connection) -> None:
    lease_id = a_lease(connection, start=date(2026, 1, 1))
    an_invoice(connection, lease_id, FIRST, status="CANCELLED")
    an_invoice(connection, lease_id, FIRST)

    assert verdict_on(connection, lease_id).reason == SkipReason.ALREADY_INVOICED


@pytest.mark.parametrize(
    ("status", "served", "reason"),
    [
        (None, "", None),
        ("DISABLED", "", None),
        ("ACTIVE", "ACTIVE,TRIAL_ACTIVE", None),
        ("DISABLED", "ACTIVE,TRIAL_ACTIVE", SkipReason.LANDLORD_NOT_SERVED),
        (None, "ACTIVE", SkipReason.LANDLORD_NOT_SERVED),
    ],
)
def test_whose_landlord_is_served(
    connection: Connection, status: str | None, served: str, reason: SkipReason | None
) -> None:
    landlord = a_landlord(connection, paystackSubscriptionStatus=status)
    lease_id = a_lease(connection, start=date(2026, 1, 1), landlord=landlord)

    assert verdict_on(connection, lease_id, landlord_statuses=served).reason == reason


def test_the_invoice_goes_to_the_tenant_known_longest(
    connection: Connection, plan: Callable[..., object]
) -> None:
    landlord = a_landlord(connection)
    newer = a_tenant(connection, landlord, id="a-newer", createdAt=date(2026, 2, 1))
    older = a_tenant(connection, landlord, id="z-older", createdAt=date(2026, 1, 1))
    a_lease(connection, start=date(2026, 1, 1), landlord=landlord, tenants=[newer, older])

    plan()

    sql = text("SELECT tenant_id FROM leaseup_dagster.invoice_ledger")
    assert connection.execute(sql).scalar_one() == "z-older"


def test_what_the_invoice_will_say(connection: Connection, plan: Callable[..., object]) -> None:
    landlord = a_landlord(connection, paystackSplitGroupId=" ")
    unit = a_unit(connection, landlord, name="{7}%", property="Protea's")
    tenant = a_tenant(connection, landlord)
    lease_id = a_lease(
        connection, start=date(2026, 1, 31), landlord=landlord, tenants=[tenant], unit=unit
    )
    later = a_recurring_billable(connection, lease_id, tenant, startDate=date(2026, 3, 1))
    oldest = a_recurring_billable(connection, lease_id, tenant, startDate=date(2026, 2, 1))
    a_recurring_billable(connection, lease_id, tenant, startDate=date(2026, 1, 1), isActive=False)

    plan()

    row = connection.execute(text("SELECT * FROM leaseup_dagster.invoice_ledger")).one()
    assert (
        row.description == f"Rent for {{7}}%, Protea's, due 30 November 2026, ref {row.reference}"
    )
    assert (row.amount_cents, row.currency, row.split_code) == (850_000, "ZAR", None)
    assert row.recurring_billable_id == oldest != later


def test_every_reason_of_the_statement_has_a_meaning() -> None:
    from leaseup_dagster.invoicing.planning.eligibility import eligibilities

    reasons = {part.split("'")[1] for part in eligibilities("").split("THEN")[1:] if "'" in part}
    assert reasons & {reason.value for reason in SkipReason} == {
        reason.value for reason in SkipReason
    }
    assert all(reason.meaning.endswith(".") for reason in SkipReason)


leases = st.lists(
    st.tuples(
        st.dates(date(2023, 1, 1), date(2027, 3, 1)),
        st.none() | st.dates(date(2026, 1, 1), date(2027, 3, 1)),
        st.floats(0.9, 1e6) | st.floats(allow_nan=True, allow_infinity=True),
    ),
    min_size=1,
    max_size=25,
)


def expected(
    start: date, end: date | None, rent: float, as_of: date, ahead: int
) -> SkipReason | None:
    due = next_due_date(start, as_of)
    if end is not None and due > end:
        return SkipReason.PAST_ITS_END if end < as_of else SkipReason.LEASE_ENDS_FIRST
    if due == end:
        return SkipReason.ENDS_ON_DUE_DATE
    if not 0 <= rent <= 1e9 or cents_from_rands(rent) < 100:
        return SkipReason.RENT_INVALID
    return SkipReason.NOT_YET_DUE if (due - as_of).days > ahead else None


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(leases, st.dates(date(2024, 1, 1), date(2026, 12, 31)), st.integers(0, 90))
def test_the_statement_and_the_pure_rules_agree(
    engine: Engine, rows: list[tuple[date, date | None, float]], as_of: date, ahead: int
) -> None:
    with engine.begin() as connection:
        landlord = a_landlord(connection)
        tenant = a_tenant(connection, landlord)
        made = {
            a_lease(connection, start=start, landlord=landlord, tenants=[tenant],
                    unit=a_unit(connection, landlord), endDate=end, rent=rent): (start, end, rent)
            for start, end, rent in rows
        }  # fmt: skip
        seen = planner.evaluate(connection, as_of, TaskSettings(check_days_ahead=ahead), 500)
        connection.rollback()

    assert {v.key.lease_id: (v.key.due_date, v.reason) for v in [*seen.bill, *seen.skip]} == {
        lease: (next_due_date(start, as_of), expected(start, end, rent, as_of, ahead))
        for lease, (start, end, rent) in made.items()
    }
    cents = {
        lease: cents_from_rands(made[lease][2]) for lease in (v.key.lease_id for v in seen.bill)
    }
    assert {v.key.lease_id: v.amount_cents for v in seen.bill} == cents
