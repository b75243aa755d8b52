"""A cancellation as a process of its own, to be killed in the middle."""

from leaseup_dagster.database.connection import open_engine
from leaseup_dagster.database.quota import SharedQuota
from leaseup_dagster.invoicing.cancellation.protocol import InvoiceCancellation
from leaseup_dagster.invoicing.keys import LedgerKey
from leaseup_dagster.invoicing.ledger import cancelling
from leaseup_dagster.paystack.client import PaystackClient


def run(database_url: str, paystack_url: str, key: LedgerKey, reason: str) -> None:
    engine = open_engine(database_url, connections=3, run_id="killed")
    client = PaystackClient(
        secret_key="sk_test_sandbox",
        base_url=paystack_url,
        quota=SharedQuota(engine, 1_000_000),
        timeout_seconds=30,
        connections=1,
    )
    with engine.connect() as connection:
        (invoice,) = cancelling.of_month(connection, key, reason).invoices
    InvoiceCancellation(engine, client).cancel(invoice)
