"""What holds however many machines there were, and whatever became of them."""

from collections import Counter

from sqlalchemy import Connection, text

from leaseup_dagster.sandbox.paystack import PaystackStandIn


def assert_each_lease_is_billed_once(
    connection: Connection, paystack: PaystackStandIn, leases: list[str]
) -> None:
    """At Paystack, in LeaseUp and in the ledger."""
    at_paystack = Counter(
        (request.metadata or {})["lease_id"] for request in paystack.payment_requests
    )
    invoices = Counter(connection.execute(text('SELECT "leaseId" FROM invoice')).scalars())
    ledger = text("SELECT state FROM leaseup_dagster.invoice_ledger")
    assert at_paystack == Counter(leases)
    assert invoices == at_paystack
    assert list(connection.execute(ledger).scalars()) == ["invoiced"] * len(leases)
