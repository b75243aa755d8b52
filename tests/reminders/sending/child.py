"""A run of the reminders as a process of its own, to be killed in the middle."""

from datetime import date

from leaseup_dagster.database.connection import open_engine
from leaseup_dagster.database.quota import SharedQuota
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.reminders.keys import ReminderDay
from leaseup_dagster.reminders.overdue import queries, selection
from leaseup_dagster.reminders.rules.policy import ReminderPolicy
from leaseup_dagster.reminders.sending import batches
from leaseup_dagster.reminders.sending.protocol import ReminderDelivery
from leaseup_dagster.sandbox.twilio import ACCOUNT, TOKEN
from leaseup_dagster.settings import ReminderSettings
from leaseup_dagster.sms.twilio import TwilioSender


def run(database_url: str, paystack_url: str, twilio_url: str, as_of: date) -> None:
    engine = open_engine(database_url, connections=12)
    client = PaystackClient(
        secret_key="sk_test_sandbox",
        base_url=paystack_url,
        quota=SharedQuota(engine, 1_000_000),
        timeout_seconds=30,
        connections=10,
    )
    sender = TwilioSender(
        base_url=twilio_url,
        account_sid=ACCOUNT,
        username=ACCOUNT,
        secret=TOKEN,
        from_number="LeaseUp",
    )
    delivery = ReminderDelivery(engine, client, sender, ReminderSettings())
    with engine.begin() as connection:
        queries.mark_overdue(connection, as_of)
    with engine.begin() as connection:
        found = selection.find(connection, ReminderPolicy.of(delivery.rules), as_of)
    for batch in batches.cut(found, ReminderDay(as_of, 0, True), 10):
        batches.remind(batch, delivery, run_id="killed", width=10, seconds=60)
