"""The steps that register tenants at Paystack, as Dagster sees them."""

from collections import Counter
from dataclasses import dataclass

import dagster as dg
from sqlalchemy import Engine

from leaseup_dagster.customers import missing
from leaseup_dagster.customers.registration import Kind, Outcome, Registration
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.retries import SERVICE_UNREACHABLE
from leaseup_dagster.settings import TaskSettings
from leaseup_dagster.stopping import seconds_left


@dataclass(frozen=True)
class CustomerReport:
    """How many tenants got a customer, and why others did not, by tenant id."""

    registered: int
    refused: tuple[tuple[str, str], ...]
    failed: tuple[tuple[str, str], ...]


@dg.op(
    retry_policy=SERVICE_UNREACHABLE,
    ins={"planned": dg.In(dg.Nothing, description="The plan is in the ledger.")},
    description="Makes a Paystack customer for every tenant about to be billed who has none.",
)
def register_planned_customers(
    context: dg.OpExecutionContext,
    engine: dg.ResourceParam[Engine],
    paystack: dg.ResourceParam[PaystackClient],
    tasks: dg.ResourceParam[TaskSettings],
) -> CustomerReport:
    with engine.connect() as connection:
        tenant_ids = missing.tenants_of_planned_invoices(connection)
    outcomes = Registration(engine, paystack).register_all(
        tenant_ids, width=tasks.batch_size, seconds=seconds_left(context, tasks.taking_seconds)
    )
    return _report(context, outcomes)


def _report(context: dg.OpExecutionContext, outcomes: list[Outcome]) -> CustomerReport:
    """Raises, to be tried again, while a retry may help and is left."""
    kinds = Counter(outcome.kind for outcome in outcomes)
    if kinds[Kind.KEY_REJECTED]:
        why = next(o.why for o in outcomes if o.kind is Kind.KEY_REJECTED)
        raise dg.Failure(why, allow_retries=False)
    for outcome in outcomes:
        if outcome.why:
            context.log.warning(
                f"No Paystack customer for tenant: tenant_id={outcome.tenant_id}: {outcome.why}"
            )
    if kinds[Kind.FAILED] and context.retry_number < SERVICE_UNREACHABLE.max_retries:
        raise RuntimeError(f"{kinds[Kind.FAILED]} of {len(outcomes)} tenants to be tried again")
    report = CustomerReport(
        registered=kinds[Kind.REGISTERED],
        refused=_with_reason(outcomes, Kind.REFUSED),
        failed=_with_reason(outcomes, Kind.FAILED),
    )
    context.add_output_metadata(
        {kind.value: kinds[kind] for kind in Kind if kind is not Kind.STOPPED}
    )
    return report


def _with_reason(outcomes: list[Outcome], kind: Kind) -> tuple[tuple[str, str], ...]:
    return tuple((o.tenant_id, o.why or "") for o in outcomes if o.kind is kind)
