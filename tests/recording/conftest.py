"""A ladder of fixtures about rights: leases that fall due, a role with the least, what it says."""

import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Connection, make_url

from leaseup_dagster import cli
from leaseup_dagster.database import leaseup
from leaseup_dagster.sandbox.builders import a_landlord, a_lease, a_tenant, a_unit
from leaseup_dagster.sandbox.paystack import PaystackStandIn

ROLE = 'rent "collector"'
AS_OF = {"as_of": "2026-11-24"}
CHECK = ("check_upcoming_invoices", {"plan_invoices": AS_OF})


Command = Callable[..., tuple[int, str]]
Due = Callable[..., list[str]]


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Command:
    """`command("check")`: the exit code, and all that was printed."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["leaseup-dagster", *arguments])
        capsys.readouterr()
        code = cli.main()
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


@pytest.fixture
def role(
    settings: pytest.MonkeyPatch, command: Command, connection: Connection, database_url: str
) -> Iterator[str]:
    """A role that was made by what `grants` prints and nothing else; runs are its from here on.

    Each table has a column more than we know, so that nothing may ask for all of them.
    """
    for table in leaseup.metadata.tables:
        connection.exec_driver_sql(f'ALTER TABLE "{table}" ADD COLUMN "notOurs" text')
    code, sql = command("grants", "--role", ROLE)
    assert code == 0
    connection.exec_driver_sql(sql)
    settings.setenv("DATABASE_URL", as_role(database_url))
    yield '"rent ""collector"""'
    connection.exec_driver_sql('DROP OWNED BY "rent ""collector"""; DROP ROLE "rent ""collector"""')


def as_role(database_url: str) -> str:
    return make_url(database_url).set(username=ROLE).render_as_string(hide_password=False)


@pytest.fixture
def due(connection: Connection, paystack: PaystackStandIn) -> Due:
    """Makes so many leases whose rent falls due on 1 December; their ids."""

    def make(count: int) -> list[str]:
        leases = []
        for number in range(count):
            customer = paystack.add_customer(f"thabo{number}@example.com").customer_code
            landlord = a_landlord(connection)
            tenant = a_tenant(connection, landlord, paystackCustomerId=customer)
            home = a_unit(connection, landlord)
            leases.append(
                a_lease(
                    connection,
                    start=date(2026, 1, 1),
                    landlord=landlord,
                    tenants=[tenant],
                    unit=home,
                )
            )
        return leases

    return make
