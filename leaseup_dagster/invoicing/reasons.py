"""Why a lease is not billed, in words a person can act on. Pure."""

from enum import Enum


class SkipReason(str, Enum):
    """A reason for a lease without an invoice; the planning statement answers with the value."""

    LEASE_GONE = "lease_gone"
    ALREADY_INVOICED = "already_invoiced"
    IN_PROGRESS = "in_progress"
    CANCELLED_BY_PERSON = "cancelled_by_person"
    INVOICED_NEARBY = "invoiced_nearby"
    NOT_AUTOMATIC = "not_automatic"
    NOT_ACTIVE = "not_active"
    NOT_A_DUE_DATE = "not_a_due_date"
    LEASE_ENDS_FIRST = "lease_ends_first"
    LANDLORD_NOT_SERVED = "landlord_not_served"
    NO_UNIT = "no_unit"
    NO_TENANT = "no_tenant"
    CURRENCY_NOT_RAND = "currency_not_rand"
    RENT_INVALID = "rent_invalid"
    NOT_YET_DUE = "not_yet_due"

    @property
    def meaning(self) -> str:
        """What it says of the lease, and what to do where a person should act."""
        return _MEANING[self]


_MEANING = {
    SkipReason.LEASE_GONE: "The lease was deleted from LeaseUp.",
    SkipReason.ALREADY_INVOICED: "This month has a rent invoice.",
    SkipReason.IN_PROGRESS: "An earlier request for this month has no answer yet;"
    " it is looked up, not repeated.",
    SkipReason.CANCELLED_BY_PERSON: "This month's invoice was cancelled by a person."
    " To bill it again, launch create_invoice with rebill: true.",
    SkipReason.INVOICED_NEARBY: "A rent invoice dated within 3 days is taken for this month."
    " If it is another, launch create_invoice for this due date.",
    SkipReason.NOT_AUTOMATIC: "Automatic invoicing is switched off on the lease.",
    SkipReason.NOT_ACTIVE: "The lease is not ACTIVE.",
    SkipReason.NOT_A_DUE_DATE: "Rent of this lease does not fall due on this day."
    " Check its start date.",
    SkipReason.LEASE_ENDS_FIRST: "The lease ends before this due date.",
    SkipReason.LANDLORD_NOT_SERVED: "The landlord's subscription is not among"
    " TASK_LANDLORD_STATUSES.",
    SkipReason.NO_UNIT: "The lease has no unit. Choose its unit in LeaseUp.",
    SkipReason.NO_TENANT: "The lease has no tenant. Add its tenant in LeaseUp.",
    SkipReason.CURRENCY_NOT_RAND: "The rent is not in rand. Set the lease's currency to ZAR.",
    SkipReason.RENT_INVALID: "The rent is not an amount from R1.00, Paystack's minimum,"
    " to R1 000 000 000. Correct it on the lease.",
    SkipReason.NOT_YET_DUE: "The due date is further ahead than TASK_CHECK_DAYS_AHEAD.",
}

NEEDS_A_PERSON = frozenset(
    {
        SkipReason.LEASE_GONE,
        SkipReason.CANCELLED_BY_PERSON,
        SkipReason.INVOICED_NEARBY,
        SkipReason.NOT_A_DUE_DATE,
        SkipReason.NO_UNIT,
        SkipReason.NO_TENANT,
        SkipReason.CURRENCY_NOT_RAND,
        SkipReason.RENT_INVALID,
    }
)
"""Reasons whose leases are named one by one, because somebody may want to act."""
