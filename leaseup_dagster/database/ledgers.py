"""Our own tables, in the schema `leaseup_dagster`: what must be remembered that LeaseUp does not.

Their DDL is in `migrations/`; a test holds the two together.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

SCHEMA = "leaseup_dagster"

metadata = MetaData(schema=SCHEMA)

invoice_ledger = Table(
    "invoice_ledger",
    metadata,
    Column("lease_id", Text, primary_key=True),
    Column("due_date", Date, primary_key=True),
    # Which billing of this month it is: 1, or more after a person billed it again.
    Column("billing", Integer, nullable=False),
    # Unique; in the payment request's metadata and description, to find it again by.
    Column("reference", Text, nullable=False, unique=True),
    Column("tenant_id", Text, nullable=False),
    Column("landlord_id", Text, nullable=False),
    Column("amount_cents", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("split_code", Text),
    Column("recurring_billable_id", Text),
    # A person asked for it: the rules about automatic invoicing do not withdraw it.
    Column("by_hand", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    # The database's clock when the claim was committed; from then on it is the claim.
    Column("attempted_at", DateTime(timezone=True)),
    # The customer it was last sent to; an earlier attempt is searched for there.
    Column("customer_code", Text),
    Column("request_code", Text),
    # Paystack's clock, as its answer to the request said; nothing for one that was found.
    Column("made_at", DateTime(timezone=True)),
    # When its payment request was seen archived: nobody can pay it any more.
    Column("archived_at", DateTime(timezone=True)),
    # The request was found at Paystack, made by an attempt that got no answer.
    Column("adopted", Boolean, nullable=False),
    Column("invoice_id", Text),
    # Why it is not billed; of `cancelling` and `cancelled`: the reason a person gave.
    Column("error", Text),
    Column("planned_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)

invoice_history = Table(
    "invoice_history",
    metadata,
    Column("due_date", Date, primary_key=True),
    Column("lease_id", Text, primary_key=True),
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("billing", Integer, nullable=False),
    # NULL: the row was made.
    Column("from_state", Text),
    Column("to_state", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    # NULL: it was changed outside a run.
    Column("run_id", Text),
    Column("reason", Text),
)
"""Written by a trigger, for each change of a ledger row's state, and append-only."""

payment_question = Table(
    "payment_question",
    metadata,
    Column("invoice_id", Text, primary_key=True),
    Column("request_code", Text, primary_key=True),
    # What is to be decided, by its name in `invoicing.receipts.Doubt`.
    Column("doubt", Text, nullable=False),
    # What Paystack received on the request, what LeaseUp has of that, and of other money.
    Column("received_cents", BigInteger, nullable=False),
    Column("recorded_cents", BigInteger, nullable=False),
    Column("otherwise_cents", BigInteger, nullable=False),
    # The rows of LeaseUp's `transaction` that are too many.
    Column("transaction_ids", ARRAY(Text), nullable=False),
    Column("asked_at", DateTime(timezone=True), nullable=False),
    Column("told_at", DateTime(timezone=True)),
    # A person's: NULL while nobody has decided.
    Column("decision", Text),
    Column("decided_at", DateTime(timezone=True)),
    Column("reason", Text),
    Column("run_id", Text),
)
"""Money of an invoice that only a person can decide about."""

customer_address = Table(
    "customer_address",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("customer_code", Text, nullable=False),
    # Of the e-mail address that the customer was made for; never the address.
    Column("email_hash", Text, nullable=False),
)

asked_invoice = Table(
    "asked_invoice",
    metadata,
    Column("invoice_id", Text, primary_key=True),
    # When Paystack was last asked about it, beyond what the nights list.
    Column("asked_at", DateTime(timezone=True), nullable=False),
)

customer_refusal = Table(
    "customer_refusal",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("data_hash", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("refused_at", DateTime(timezone=True), nullable=False),
)

paystack_mode = Table(
    "paystack_mode",
    metadata,
    Column("single", Boolean, primary_key=True),
    Column("mode", Text, nullable=False),
)

request_quota = Table(
    "request_quota",
    metadata,
    Column("endpoint", Text, primary_key=True),
    # Seconds since the epoch, by the database's clock, at which the next request may leave.
    Column("next_at", Double, nullable=False),
    # What Paystack has reported; NULL: nothing yet.
    Column("requests_per_minute", Integer),
    Column("told_at", DateTime(timezone=True)),
)

reminder_ledger = Table(
    "reminder_ledger",
    metadata,
    Column("invoice_id", Text, primary_key=True),
    Column("tenant_id", Text, primary_key=True),
    # Which reminder of the schedule it is, counted from 1.
    Column("step", Integer, primary_key=True),
    # The day the text was for; the next step is counted from it.
    Column("as_of", Date, nullable=False),
    Column("state", Text, nullable=False),
    # How the last attempt ended, as the provider's answer was understood.
    Column("outcome", Text),
    # Masked for people; hashed, to notice that it changed or is shared. Never the number.
    Column("number", Text, nullable=False),
    Column("number_hash", Text, nullable=False),
    # To find the text again by.
    Column("text_hash", Text, nullable=False),
    Column("amount_cents", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    # The database's clock when the claim was committed.
    Column("attempted_at", DateTime(timezone=True), nullable=False),
    Column("run_id", Text, nullable=False),
    Column("message_id", Text),
    Column("code", Text),
    Column("error", Text),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    # The template it was made of, by its hash; `reminder_template` has the words.
    Column("template_hash", Text),
    # How many messages the provider makes of it, and charges for.
    Column("segments", Integer),
    Column("provider", Text),
    # The words as they were sent, only when COMMUNICATIONS_KEEP_TEXT is true.
    Column("text", Text),
    # What the provider said of its delivery when it was last asked.
    Column("delivery_status", Text),
    Column("delivery_code", Text),
    Column("delivery_checked_at", DateTime(timezone=True)),
)

reminder_history = Table(
    "reminder_history",
    metadata,
    Column("invoice_id", Text, primary_key=True),
    Column("tenant_id", Text, primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("from_state", Text),
    # A state, or `deleted` when the retention of communications is over.
    Column("to_state", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("run_id", Text),
    Column("reason", Text),
)

reminder_template = Table(
    "reminder_template",
    metadata,
    Column("template_hash", Text, primary_key=True),
    Column("template", Text, nullable=False),
    Column("first_used_at", DateTime(timezone=True), nullable=False),
)

step_output = Table(
    "step_output",
    metadata,
    # Run, step and output.
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    Column("written_at", DateTime(timezone=True), nullable=False),
)

landlord_email = Table(
    "landlord_email",
    metadata,
    Column("landlord_id", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    # sending (committed before the message leaves), sent, unknown; deferred and refused were not
    # accepted, and may be sent again.
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("attempted_at", DateTime(timezone=True), nullable=False),
    Column("run_id", Text, nullable=False),
    Column("why", Text),
)

landlord_event = Table(
    "landlord_event",
    metadata,
    Column("landlord_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    # In the e-mail of this day; none: it was there before the first one, or nobody was served.
    Column("day", Date),
)

RIGHTS = {
    "alembic_version": ("SELECT",),
    "asked_invoice": ("SELECT", "INSERT", "UPDATE"),
    "customer_address": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "customer_refusal": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "invoice_history": ("SELECT", "INSERT"),
    "invoice_ledger": ("SELECT", "INSERT", "UPDATE"),
    "landlord_email": ("SELECT", "INSERT", "UPDATE"),
    "landlord_event": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "payment_question": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "paystack_mode": ("SELECT", "INSERT"),
    "reminder_history": ("SELECT", "INSERT"),
    "reminder_ledger": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "reminder_template": ("SELECT", "INSERT"),
    "request_quota": ("SELECT", "INSERT", "UPDATE"),
    "step_output": ("SELECT", "INSERT", "UPDATE", "DELETE"),
}
"""What a run does with each of them: the least that its user must be allowed."""
