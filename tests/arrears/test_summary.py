"""Who owes how much for how long, as of a day; what was billed and collected by month."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from leaseup_dagster.arrears.ageing import Age, age_of
from leaseup_dagster.arrears.summary import Arrears, Month, arrears
from leaseup_dagster.sandbox.builders import (
    a_landlord,
    a_lease,
    a_tenant,
    a_transaction,
    a_unit,
    an_invoice,
)

TODAY = date(2026, 11, 10)
R8500 = 850_000


@pytest.fixture
def landlord(connection: Connection) -> str:
    return a_landlord(connection)


def billed(connection: Connection, landlord: str, due: date, **values: Any) -> str:
    tenant = a_tenant(connection, landlord)
    lease = a_lease(
        connection, start=date(2026, 1, 1), landlord=landlord, tenants=[tenant],
        unit=a_unit(connection, landlord),
    )  # fmt: skip
    made = {"createdAt": datetime(2025, 1, 1), "landlordId": landlord}  # noqa: DTZ001
    return an_invoice(connection, lease, due, **(made | values))


def as_of(connection: Connection, day: date = TODAY) -> Arrears:
    return arrears(connection, day, 10)


@pytest.mark.parametrize(
    ("days", "age"),
    [
        (-1, Age.NOT_YET_DUE), (0, Age.NOT_YET_DUE), (1, Age.TO_30), (30, Age.TO_30),
        (31, Age.TO_60), (60, Age.TO_60), (61, Age.TO_90), (90, Age.TO_90), (91, Age.OVER_90),
        (4000, Age.OVER_90),
    ],
)  # fmt: skip
def test_the_edges_of_the_ages(connection: Connection, landlord: str, days: int, age: Age) -> None:
    billed(connection, landlord, TODAY - timedelta(days=days))

    found = as_of(connection).all.cents

    assert age_of(days) is age
    assert {a: cents for a, cents in found.items() if cents} == {age: R8500}


def test_each_landlord_and_all_of_them(connection: Connection, landlord: str) -> None:
    other = a_landlord(connection)
    billed(connection, landlord, date(2026, 11, 1))
    billed(connection, landlord, date(2026, 8, 1))
    billed(connection, other, date(2026, 10, 1), dueAmount=1000.5)
    billed(connection, other, date(2026, 12, 1))

    found = as_of(connection)

    assert [(one.landlord_id, one.overdue, one.tenants) for one in found.landlords] == [
        (landlord, 2 * R8500, 2),
        (other, 100_050, 1),
    ]
    assert (found.all.overdue, found.all.total) == (1_800_050, 1_800_050 + R8500)
    assert (found.all.tenants, found.all.oldest) == (3, date(2026, 8, 1))
    assert found.landlords_owed == 2


def test_a_payment_counts_once_whoever_recorded_it(connection: Connection, landlord: str) -> None:
    of = billed(connection, landlord, date(2026, 11, 1), offlineReference="OFF")
    a_transaction(connection, of, 3000.0, referenceId="OFF")
    a_transaction(connection, of, 3000.0, referenceId="T1", method="PAYSTACK")

    assert as_of(connection, date(2099, 1, 1)).all.total == 550_000


def test_what_does_not_count(connection: Connection, landlord: str) -> None:
    billed(connection, landlord, date(2026, 11, 1), status="CANCELLED")
    billed(connection, landlord, date(2026, 11, 1), status="DRAFT")
    billed(connection, landlord, date(2026, 11, 1), status="PAID")
    billed(connection, landlord, date(2026, 11, 1), dueAmount=float("nan"))

    found = as_of(connection)

    assert (found.all.total, found.landlords, found.unreadable) == (0, (), 1)


def test_months_set_what_came_in_against_what_was_billed(
    connection: Connection, landlord: str
) -> None:
    for due in (date(2025, 10, 31), date(2025, 11, 1), date(2026, 10, 1), date(2026, 11, 10)):
        billed(connection, landlord, due, status="PAID")
    late = billed(connection, landlord, date(2026, 10, 31))
    a_transaction(connection, late, 2000.0, createdAt=datetime(2026, 11, 2))  # noqa: DTZ001
    billed(connection, landlord, date(2026, 11, 11))

    found = as_of(connection)

    months = {month.first: month for month in found.months}
    assert len(found.months) == 13
    assert months[date(2025, 11, 1)] == Month(date(2025, 11, 1), R8500, R8500)
    assert months[date(2026, 10, 1)] == Month(date(2026, 10, 1), 2 * R8500, R8500 + 200_000)
    assert months[date(2026, 11, 1)] == Month(date(2026, 11, 1), R8500, R8500)
    assert found.share_collected == pytest.approx((3 * 8500 + 2000) / (4 * 8500))


def test_of_nothing_there_is_no_share(connection: Connection) -> None:
    found = as_of(connection)

    assert (found.all.total, found.share_collected, found.landlords) == (0, None, ())


@pytest.mark.parametrize("amount", [float("nan"), float("inf")])
def test_a_payment_that_is_no_amount_takes_nothing_from_those_beside_it(
    connection: Connection, landlord: str, amount: float
) -> None:
    of = billed(connection, landlord, date(2026, 11, 1))
    a_transaction(connection, of, 3000.0, referenceId="a", createdAt=datetime(2026, 11, 2))  # noqa: DTZ001
    a_transaction(connection, of, amount, referenceId="b", createdAt=datetime(2026, 11, 3))  # noqa: DTZ001
    paid = billed(connection, landlord, date(2026, 11, 1), status="PAID")
    a_transaction(connection, paid, amount, createdAt=datetime(2026, 11, 20))  # noqa: DTZ001

    found = as_of(connection)

    assert (found.all.total, found.unreadable) == (550_000, 1)


def test_what_was_made_after_the_day_is_not_counted_as_unreadable(
    connection: Connection, landlord: str
) -> None:
    later = datetime(2026, 11, 20)  # noqa: DTZ001
    billed(connection, landlord, date(2026, 12, 1), dueAmount=float("nan"), createdAt=later)

    assert as_of(connection).unreadable == 0
