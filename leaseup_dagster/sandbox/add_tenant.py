"""Adds a tenant with a lease to the sandbox of `make dev`, as LeaseUp would.

Run it in the directory that `make dev` names: the `.env` there says which database.
"""

import argparse
import secrets
from datetime import date, timedelta
from pathlib import Path

from dotenv import dotenv_values

from leaseup_dagster.as_of import resolve_as_of
from leaseup_dagster.database.session import session_engine
from leaseup_dagster.database.url import engine_url
from leaseup_dagster.money import cents_from_rands, format_rands
from leaseup_dagster.sandbox.builders import a_landlord, a_lease, a_tenant, number_from


def add_tenant(database_url: str, *, name: str, email: str, rent: float, start: date) -> str:
    """The new lease's id. The tenant has no Paystack customer yet."""
    number_from(1_000_000 + secrets.randbelow(9_000_000))
    first_name, _, last_name = name.partition(" ")
    columns = {"firstName": first_name, "lastName": last_name or "Nkosi"}
    if email:
        columns["email"] = email
    engine = session_engine(engine_url(database_url))
    with engine.begin() as connection:
        landlord = a_landlord(connection)
        tenant = a_tenant(connection, landlord, **columns)
        lease = a_lease(connection, start=start, landlord=landlord, tenants=[tenant], rent=rent)
    engine.dispose()
    return lease


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="Lindiwe Khumalo")
    parser.add_argument("--email", default="", help="one without an @ is refused by Paystack")
    parser.add_argument("--rent", type=float, default=7200.0, help="in rands")
    parser.add_argument("--due-in", type=int, default=10, help="days until the first rent is due")
    given = parser.parse_args()
    database_url = dotenv_values(Path.cwd() / ".env").get("DATABASE_URL")
    if not database_url:
        parser.error("there is no .env with DATABASE_URL here: cd to where `make dev` says")
    start = resolve_as_of("") + timedelta(days=given.due_in)
    lease = add_tenant(
        database_url, name=given.name, email=given.email, rent=given.rent, start=start
    )
    print(f"{lease}: rent of {format_rands(cents_from_rands(given.rent))} falls due on {start}.")


if __name__ == "__main__":
    main()
