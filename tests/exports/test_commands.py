"""`leaseup-dagster arrears`, `invoices`, `payments`: each amount once, in a file that is safe."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, select, text

from leaseup_dagster.cli import main
from leaseup_dagster.database.leaseup import invoice
from leaseup_dagster.exports import rows
from leaseup_dagster.invoicing.payments import amounts
from leaseup_dagster.sandbox.builders import (
    a_landlord,
    a_lease,
    a_tenant,
    a_transaction,
    a_unit,
    an_invoice,
)


def utc(*parts: int) -> datetime:
    """As LeaseUp writes it: UTC, without a zone."""
    return datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001


NOON = utc(2026, 11, 10, 10)


@dataclass
class Written:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.out)))


@pytest.fixture
def command(
    settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> Callable[..., Written]:
    settings.chdir(tmp_path)

    def call(*arguments: str) -> Written:
        settings.setattr("sys.argv", ["leaseup-dagster", *arguments])
        code = main()
        out, err = capsys.readouterr()
        return Written(code, out, err)

    return call


@pytest.fixture
def lease(connection: Connection) -> str:
    landlord = a_landlord(connection)
    tenant = a_tenant(connection, landlord)
    return a_lease(
        connection, start=date(2026, 1, 1), landlord=landlord, tenants=[tenant],
        unit=a_unit(connection, landlord),
    )  # fmt: skip


def billed(connection: Connection, lease: str, due: date, **values: Any) -> str:
    landlord = connection.execute(
        text(
            'SELECT "landlordId" FROM lease JOIN unit ON unit.id = "unitId"'
            ' JOIN property ON property.id = "propertyId" WHERE lease.id = :id'
        ),
        {"id": lease},
    ).scalar_one()
    given = {"createdAt": utc(2026, 10, 1), "landlordId": landlord}
    return an_invoice(connection, lease, due, **(given | values))


def test_arrears_as_of_a_day(command: Any, connection: Connection, lease: str) -> None:
    first = billed(connection, lease, date(2026, 8, 1))
    second = billed(connection, lease, date(2026, 11, 9), offlineReference="OFF")
    billed(connection, lease, date(2026, 9, 1), status="CANCELLED")
    a_transaction(connection, second, 3000.0, referenceId="OFF", createdAt=NOON)
    a_transaction(connection, second, 3000.0, referenceId="T1", method="PAYSTACK", createdAt=NOON)

    found = command("arrears", "--as-of", "2026-11-10")

    assert [
        (line["invoice"], line["days overdue"], line["age"], line["paid"], line["due"])
        for line in found.lines
    ] == [
        (first, "101", "over 90 days", "0.00", "8500.00"),
        (second, "1", "1-30 days", "3000.00", "5500.00"),
    ]
    assert tuple(found.lines[0]) == rows.ARREARS


def test_arrears_of_a_past_day_know_nothing_of_what_came_after(
    command: Any, connection: Connection, lease: str
) -> None:
    """Paid on the 10th at 23:30 in Johannesburg; made on the 9th."""
    paid = billed(connection, lease, date(2026, 11, 1), status="PAID",
                  createdAt=utc(2026, 11, 8, 22, 30))  # fmt: skip
    a_transaction(connection, paid, 8500.0, createdAt=utc(2026, 11, 10, 21, 30))

    found = {
        day: [line["due"] for line in command("arrears", "--as-of", day).lines]
        for day in ("2026-11-08", "2026-11-09", "2026-11-10")
    }

    assert found == {"2026-11-08": [], "2026-11-09": ["8500.00"], "2026-11-10": []}


def test_invoices_from_a_day_to_a_day_in_johannesburg(
    command: Any, connection: Connection, lease: str
) -> None:
    billed(connection, lease, date(2026, 12, 1), createdAt=utc(2026, 11, 8, 21, 59))
    made = billed(connection, lease, date(2026, 12, 2), createdAt=utc(2026, 11, 8, 22, 0))
    billed(connection, lease, date(2026, 12, 3), createdAt=utc(2026, 11, 9, 22, 0))

    (line,) = command("invoices", "--from", "2026-11-09", "--to", "2026-11-09").lines

    assert (line["invoice"], line["created at"]) == (made, "2026-11-09T00:00:00+02:00")
    assert (line["amount"], line["due"], line["currency"]) == ("8500.00", "8500.00", "ZAR")
    assert tuple(line) == rows.INVOICES


@pytest.mark.parametrize(
    "written",
    [
        [("OFF", None), ("T1", "PAYSTACK")],
        [("OFF", None), ("OFF", None)],
        [("T1", "PAYSTACK"), ("T2", "PAYSTACK"), ("OFF", None)],
        [("", None), ("", None), ("T1", "PAYSTACK")],
    ],
    ids=["webhook and we", "the webhook twice", "two, of which it heard one", "manually too"],
)
def test_what_payments_count_is_what_the_product_counts(
    command: Any, connection: Connection, lease: str, written: list[tuple[str, str | None]]
) -> None:
    of = billed(connection, lease, date(2026, 12, 1), offlineReference="OFF")
    for reference, method in written:
        values = {"referenceId": reference, "createdAt": NOON}
        a_transaction(connection, of, 3000.0, **(values | ({"method": method} if method else {})))
    some = select(invoice).cte("some")
    paid = amounts.received(some, by=(some.c.id,))

    lines = command("payments", "--from", "2026-11-01", "--to", "2026-11-30").lines

    assert len(lines) == len(written)
    counted = sum(round(float(line["counted"]) * 100) for line in lines)
    assert counted == connection.execute(select(paid.c.cents)).scalar_one()
    assert tuple(lines[0]) == rows.PAYMENTS


def test_a_payment_counts_as_it_does_whatever_days_are_asked_for(
    command: Any, connection: Connection, lease: str
) -> None:
    """The webhook's row is of the day before ours."""
    of = billed(connection, lease, date(2026, 12, 1), offlineReference="OFF")
    a_transaction(connection, of, 3000.0, referenceId="OFF", createdAt=utc(2026, 11, 9, 10))
    a_transaction(connection, of, 3000.0, referenceId="T1", method="PAYSTACK", createdAt=NOON)

    (line,) = command("payments", "--from", "2026-11-09", "--to", "2026-11-09").lines

    assert (line["amount"], line["counted"]) == ("3000.00", "0.00")


def test_no_cell_is_a_formula(command: Any, connection: Connection, lease: str) -> None:
    of = billed(connection, lease, date(2026, 12, 1))
    a_transaction(connection, of, -5.0, referenceId="=1+1", createdAt=NOON)

    (line,) = command("payments", "--from", "2026-11-01").lines

    assert line["reference"] == "'=1+1"
    assert line["amount"] == "-5.00"


def test_json_is_an_object_a_line(command: Any, connection: Connection, lease: str) -> None:
    billed(connection, lease, date(2026, 8, 1))
    billed(connection, lease, date(2026, 9, 1))

    found = command("arrears", "--as-of", "2026-11-10", "--format", "json")

    lines = [json.loads(line) for line in found.out.splitlines()]
    assert [line["due date"] for line in lines] == ["2026-08-01", "2026-09-01"]
    assert lines[0]["due"] == "8500.00"


def test_one_landlord_and_an_amount_that_is_none(
    command: Any, connection: Connection, lease: str
) -> None:
    mine = billed(connection, lease, date(2026, 8, 1), dueAmount=float("nan"))
    other = a_landlord(connection)
    (line,) = command("invoices", "--from", "2026-01-01").lines

    none = command("invoices", "--from", "2026-01-01", "--landlord", other)

    assert (line["invoice"], line["amount"]) == (mine, "")
    assert (none.code, none.lines, none.err) == (0, [], "0 invoices\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("arrears", "--landlord", "nobody"), "There is no landlord 'nobody' in LeaseUp"),
        (("invoices", "--from", "2026-02-02", "--to", "2026-01-01"), "is after --to"),
        (("payments", "--from", "yesterday"), "--from"),
    ],
)
def test_what_is_typed_wrong_is_said(command: Any, arguments: tuple[str, ...], said: str) -> None:
    found = command(*arguments)

    assert found.code == 2
    assert said in found.err
    assert found.out == ""
