"""What travels between the steps, and what a run says it did: ids and reasons. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from leaseup_dagster.batching import Place, slices
from leaseup_dagster.customers.missing import RegistrationStatus
from leaseup_dagster.customers.next_batch import Waiting
from leaseup_dagster.customers.registration import Kind, Outcome

REGISTERED_COLUMNS = ("tenant", "customer")
PROBLEM_COLUMNS = ("tenant", "why", "what to do")

_NOT_TRIED = (None, Kind.STOPPED, Kind.OVERTAKEN)
_CORRECT_IT = (
    "Correct the tenant in LeaseUp: it is tried again by itself. If its data are right, launch"
    " create_paystack_customers with its id and retry_refused: true."
)
_WAIT = "Put right what is named, if it is ours to put right. It is tried again by itself."
_IDS_NAMED = 10


@dataclass(frozen=True)
class CustomerBatch:
    """The tenants one step registers."""

    place: Place
    tenant_ids: tuple[str, ...]


@dataclass(frozen=True)
class CustomerReport:
    """Who got which customer, and why others did not, by tenant id. `left` were not tried."""

    customers: tuple[tuple[str, str], ...]
    refused: tuple[tuple[str, str], ...]
    failed: tuple[tuple[str, str], ...]
    left: int

    @property
    def registered(self) -> int:
        """How many tenants have a customer now."""
        return len(self.customers)

    @classmethod
    def of(
        cls, statuses: Iterable[RegistrationStatus], outcomes: Iterable[Outcome]
    ) -> "CustomerReport":
        """How the tenants stand, in whichever attempt it came about; the last attempt's reasons."""
        last = {outcome.tenant_id: outcome for outcome in outcomes}
        customers, refused, failed, left = [], [], [], 0
        for status in statuses:
            outcome = last.get(status.tenant_id)
            if status.customer_code:
                customers.append((status.tenant_id, status.customer_code))
            elif status.refusal:
                refused.append((status.tenant_id, status.refusal))
            elif outcome is None or outcome.kind in _NOT_TRIED:
                left += 1
            else:
                failed.append((status.tenant_id, outcome.why or outcome.kind.value))
        return cls(tuple(customers), tuple(refused), tuple(failed), left)

    @classmethod
    def together(cls, reports: Iterable["CustomerReport"]) -> "CustomerReport":
        """The report of several batches."""
        reports = list(reports)
        return cls(
            customers=tuple(row for report in reports for row in report.customers),
            refused=tuple(row for report in reports for row in report.refused),
            failed=tuple(row for report in reports for row in report.failed),
            left=sum(report.left for report in reports),
        )

    def counts(self) -> dict[str, int]:
        """How many of each, for the run's metadata."""
        return {
            "registered": self.registered,
            "refused": len(self.refused),
            "failed": len(self.failed),
            "left for the next run": self.left,
        }


def line(outcome: Outcome) -> str:
    """What is said of a tenant who was not registered. Our own trouble is no tenant's."""
    if outcome.kind is Kind.BROKEN:
        return f"Not registered: tenant_id={outcome.tenant_id}: {outcome.why}"
    return f"No Paystack customer ID found for tenant: tenant_id={outcome.tenant_id}: {outcome.why}"


def cut(tenant_ids: Sequence[str], batch_size: int) -> list[CustomerBatch]:
    """Batches of `batch_size`, or larger ones where they would be too many steps."""
    return [CustomerBatch(place, part) for place, part in slices(tenant_ids, batch_size)]


def refused_rows(report: CustomerReport) -> list[tuple[str, str, str]]:
    """The tenants that Paystack refused: id, reason, what to do."""
    return [(tenant_id, why, _CORRECT_IT) for tenant_id, why in report.refused]


def failed_rows(report: CustomerReport) -> list[tuple[str, str, str]]:
    """The tenants that could not be registered: id, reason, what happens next."""
    return [(tenant_id, why, _WAIT) for tenant_id, why in report.failed]


def summary(report: CustomerReport, waiting: Waiting) -> str:
    """The run in one line, and how things stand after it."""
    said = ", ".join(f"{count} {what}" for what, count in report.counts().items() if count)
    return (
        f"Paystack customers: {said or 'nothing to do'}."
        f" Without one: {waiting.total}; refused until their data change: {waiting.refused}."
    )


def in_words(report: CustomerReport) -> str:
    """Every reason once, with the tenants it holds for and what to do."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for tenant_id, why, do in [*refused_rows(report), *failed_rows(report)]:
        by_reason.setdefault((why, do), []).append(tenant_id)
    lines = [f"{why}: tenant_id={_named(ids)}. {do}" for (why, do), ids in by_reason.items()]
    without = len(report.refused) + len(report.failed)
    return "\n".join([f"Tenants that got no Paystack customer: {without}.", *lines])


def _named(tenant_ids: Sequence[str]) -> str:
    more = len(tenant_ids) - _IDS_NAMED
    return ", ".join(tenant_ids[:_IDS_NAMED]) + (f" and {more} more" if more > 0 else "")
