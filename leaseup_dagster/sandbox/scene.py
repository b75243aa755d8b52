"""Puts the demo's leases and invoices into a world: LeaseUp's side and Paystack's."""

from datetime import date

from leaseup_dagster.sandbox.arrears import lay_out_arrears
from leaseup_dagster.sandbox.mirror import mirror
from leaseup_dagster.sandbox.portfolio import lay_out_leases
from leaseup_dagster.sandbox.world import World


def lay_out(world: World, today: date) -> None:
    with world.engine.begin() as connection:
        lay_out_leases(connection, today)
        lay_out_arrears(connection, today)
        mirror(connection, world.paystack)
