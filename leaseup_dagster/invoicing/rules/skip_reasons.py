"""Why a lease is not billed, in words a person can act on. Pure."""

from enum import Enum

from leaseup_dagster.money import format_rands


class SkipReason(str, Enum):
    """A reason for a lease without an invoice; the planning statement answers with the value."""

    LEASE_GONE = "lease_gone"
    ALREADY_INVOICED = "already_invoiced"
    BILLED_ANOTHER_AMOUNT = "billed_another_amount"
    IN_PROGRESS = "in_progress"
    CANCELLED_BY_PERSON = "cancelled_by_person"
    INVOICE_DELETED = "invoice_deleted"
    UNDATED_INVOICE = "undated_invoice"
    INVOICED_NEARBY = "invoiced_nearby"
    NEAR_A_BILLED_MONTH = "near_a_billed_month"
    NOT_AUTOMATIC = "not_automatic"
    NOT_ACTIVE = "not_active"
    NOT_A_DUE_DATE = "not_a_due_date"
    PAST_ITS_END = "past_its_end"
    LEASE_ENDS_FIRST = "lease_ends_first"
    ENDS_ON_DUE_DATE = "ends_on_due_date"
    LANDLORD_NOT_SERVED = "landlord_not_served"
    NO_UNIT = "no_unit"
    NO_TENANT = "no_tenant"
    BILLED_UNDER_ANOTHER_LEASE = "billed_under_another_lease"
    CURRENCY_NOT_RAND = "currency_not_rand"
    RENT_INVALID = "rent_invalid"
    NOT_YET_DUE = "not_yet_due"

    @property
    def meaning(self) -> str:
        """What it says of the lease, and what to do where a person should act."""
        return _MEANING[self]

    @property
    def words(self) -> str:
        """The reason itself in a few words, for a headline: `12 billed already`."""
        return _WORDS[self]


def in_words(reason: str, note: str | None) -> str:
    """What a reason says of one month: its meaning, and the sums or the other lease."""
    about = of_note(reason, note)
    return (
        f"{about[0].upper()}{about[1:]}. {SkipReason(reason).meaning}"
        if about
        else (SkipReason(reason).meaning)
    )


def of_note(reason: str, note: str | None) -> str:
    """The sums or the other lease that a month's reason is about; empty where there is none."""
    if note and reason == SkipReason.BILLED_ANOTHER_AMOUNT:
        billed, rent = map(int, note.split())
        return (
            f"billed {format_rands(billed)}, rent {format_rands(rent)}, a difference of"
            f" {format_rands(rent - billed)}"
        )
    if note and reason == SkipReason.BILLED_UNDER_ANOTHER_LEASE:
        return f"the other lease is {note}"
    return ""


_WORDS = {
    SkipReason.LEASE_GONE: "deleted from LeaseUp",
    SkipReason.ALREADY_INVOICED: "billed already",
    SkipReason.BILLED_ANOTHER_AMOUNT: "billed at another amount than the rent",
    SkipReason.IN_PROGRESS: "waiting for Paystack's answer",
    SkipReason.CANCELLED_BY_PERSON: "cancelled by a person",
    SkipReason.INVOICE_DELETED: "whose invoice was deleted",
    SkipReason.UNDATED_INVOICE: "with an invoice without a due date",
    SkipReason.INVOICED_NEARBY: "with an invoice of nearly that day",
    SkipReason.NEAR_A_BILLED_MONTH: "too near a billed month",
    SkipReason.NOT_AUTOMATIC: "not invoiced automatically",
    SkipReason.NOT_ACTIVE: "not active",
    SkipReason.NOT_A_DUE_DATE: "not due on that day",
    SkipReason.PAST_ITS_END: "past their end",
    SkipReason.LEASE_ENDS_FIRST: "ending before",
    SkipReason.ENDS_ON_DUE_DATE: "ending on the due date",
    SkipReason.LANDLORD_NOT_SERVED: "of landlords not served",
    SkipReason.NO_UNIT: "without a unit",
    SkipReason.NO_TENANT: "without a tenant",
    SkipReason.BILLED_UNDER_ANOTHER_LEASE: "billed under another lease",
    SkipReason.CURRENCY_NOT_RAND: "with a rent that is not in rand",
    SkipReason.RENT_INVALID: "with a rent that is no amount",
    SkipReason.NOT_YET_DUE: "not due yet",
}

_MEANING = {
    SkipReason.LEASE_GONE: "The lease was deleted from LeaseUp.",
    SkipReason.ALREADY_INVOICED: "This month has a rent invoice.",
    SkipReason.BILLED_ANOTHER_AMOUNT: "This month was billed at another amount than the lease's"
    " rent is now. If the new one is meant: cancel_invoice, then create_invoice, rebill: true.",
    SkipReason.IN_PROGRESS: "An earlier request for this month has no answer yet;"
    " it is checked, not repeated.",
    SkipReason.CANCELLED_BY_PERSON: "This month's invoice was cancelled by a person."
    " To bill it again, launch create_invoice with rebill: true.",
    SkipReason.INVOICE_DELETED: "This month was billed, and its invoice was deleted from LeaseUp;"
    " it is not billed again by itself. If it is owed, launch create_invoice with rebill: true; if"
    " not, archive its payment request in Paystack's dashboard: it can still be paid.",
    SkipReason.UNDATED_INVOICE: "The lease has a rent invoice without a due date, which may be this"
    " month's. Give it its due date or cancel it in LeaseUp; if it is something else, launch"
    " create_invoice for this due date.",
    SkipReason.INVOICED_NEARBY: "A rent invoice dated within 3 days is treated as this month."
    " If it is another, launch create_invoice for this due date.",
    SkipReason.NEAR_A_BILLED_MONTH: "It is less than 21 days from a month of this lease that was"
    " billed, as when the start date was moved. If it is owed all the same, launch create_invoice"
    " for this due date.",
    SkipReason.NOT_AUTOMATIC: "Automatic invoicing is switched off on the lease.",
    SkipReason.NOT_ACTIVE: "The lease is not ACTIVE.",
    SkipReason.NOT_A_DUE_DATE: "Rent of this lease does not fall due on this day."
    " Check its start date.",
    SkipReason.PAST_ITS_END: "The lease is ACTIVE and its end has passed: the tenant is probably"
    " still there. Extend it or end it in LeaseUp.",
    SkipReason.LEASE_ENDS_FIRST: "The lease ends before this due date.",
    SkipReason.ENDS_ON_DUE_DATE: "The lease ends on the very day this rent falls due: a whole month"
    " more is not billed by itself. If it is meant, launch create_invoice for this due date.",
    SkipReason.LANDLORD_NOT_SERVED: "The landlord's subscription is not among"
    " TASK_LANDLORD_STATUSES.",
    SkipReason.NO_UNIT: "The lease has no unit. Choose its unit in LeaseUp.",
    SkipReason.NO_TENANT: "The lease has no tenant. Add its tenant in LeaseUp.",
    SkipReason.BILLED_UNDER_ANOTHER_LEASE: "Another lease of the same unit and tenant is billed"
    " for this month, as after a renewal. End the lease that is over in LeaseUp; if both are owed,"
    " launch create_invoice for this due date.",
    SkipReason.CURRENCY_NOT_RAND: "The rent is not in rand. Set the lease's currency to ZAR.",
    SkipReason.RENT_INVALID: "The rent is not an amount from R1.00, Paystack's minimum,"
    " to R1 000 000 000. Correct it on the lease.",
    SkipReason.NOT_YET_DUE: "The due date is further ahead than TASK_CHECK_DAYS_AHEAD.",
}

NEEDS_A_PERSON = frozenset(
    {
        SkipReason.LEASE_GONE,
        SkipReason.CANCELLED_BY_PERSON,
        SkipReason.BILLED_ANOTHER_AMOUNT,
        SkipReason.INVOICE_DELETED,
        SkipReason.UNDATED_INVOICE,
        SkipReason.INVOICED_NEARBY,
        SkipReason.NEAR_A_BILLED_MONTH,
        SkipReason.NOT_A_DUE_DATE,
        SkipReason.PAST_ITS_END,
        SkipReason.ENDS_ON_DUE_DATE,
        SkipReason.NO_UNIT,
        SkipReason.NO_TENANT,
        SkipReason.BILLED_UNDER_ANOTHER_LEASE,
        SkipReason.CURRENCY_NOT_RAND,
        SkipReason.RENT_INVALID,
    }
)
"""Reasons whose leases are named one by one, because somebody may want to act."""
