"""The steps that register tenants at Paystack, as Dagster sees them."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
from pydantic import Field
from sqlalchemy import Engine

from leaseup_dagster.customers import missing, outdated, report
from leaseup_dagster.customers.next_batch import Waiting
from leaseup_dagster.customers.registration import Kind, Outcome, Registration
from leaseup_dagster.customers.report import CustomerBatch, CustomerReport
from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.retries import SERVICE_UNREACHABLE, try_again
from leaseup_dagster.run_config import ConfigFailure, RunConfig
from leaseup_dagster.settings import TaskSettings
from leaseup_dagster.stopping import seconds_left
from leaseup_dagster.tables import Section, page_and_tables

MAX_PER_RUN = 20_000
"""More tenants than Paystack's quota lets one run register; the sensor goes on with the rest."""


class TenantsConfig(RunConfig):
    """Whom create_paystack_customers registers."""

    tenant_ids: list[str] = Field(
        [], description="Ids of tenants in LeaseUp; empty: every tenant without a customer."
    )
    retry_refused: bool = Field(
        False, description="Try tenants again whom Paystack refused, with the same data."
    )
    renew: bool = Field(
        False,
        description="Make another customer for those of tenant_ids whose customer Paystack does not"
        " know under this key (made in the other mode, or deleted), or knows by another e-mail"
        " address. Name the tenants.",
    )


@dg.op(
    out=dg.DynamicOut(CustomerBatch),
    retry_policy=SERVICE_UNREACHABLE,
    description="Finds tenants without a Paystack customer, and cuts them into batches. Who was"
    " refused is left out until its data change, or retry_refused asks for it.",
)
def find_tenants_without_customer(
    context: dg.OpExecutionContext,
    config: TenantsConfig,
    engine: dg.ResourceParam[Engine],
    paystack: dg.ResourceParam[PaystackClient],
    tasks: dg.ResourceParam[TaskSettings],
) -> Iterator[dg.DynamicOutput[CustomerBatch]]:
    if config.renew:
        _let_go(context, Registration(engine, paystack), config.tenant_ids)
    with engine.begin() as connection:
        unknown = missing.unknown(connection, config.tenant_ids)
        if config.retry_refused:
            missing.forget_refusals(connection, config.tenant_ids)
        found = missing.tenants_to_register(connection, config.tenant_ids, MAX_PER_RUN)
    _log_unknown(context, unknown, of=len(set(config.tenant_ids)))
    context.log.info(f"Found {len(found)} tenants without a Paystack customer")
    for batch in report.cut(found, tasks.batch_size):
        yield dg.DynamicOutput(batch, mapping_key=batch.place.mapping_key)


@dg.op(
    retry_policy=SERVICE_UNREACHABLE,
    description="Makes the Paystack customer of every tenant of the batch, or finds it there; one"
    " bad tenant stops no other. Only what failed is tried again.",
)
def create_customers(
    context: dg.OpExecutionContext,
    batch: CustomerBatch,
    engine: dg.ResourceParam[Engine],
    paystack: dg.ResourceParam[PaystackClient],
    tasks: dg.ResourceParam[TaskSettings],
) -> CustomerReport:
    began = time.monotonic()
    outcomes = Registration(engine, paystack).register_all(
        batch.tenant_ids,
        width=tasks.batch_size,
        seconds=seconds_left(context, tasks.taking_seconds),
        on_progress=context.log.info,
    )
    done = _report(context, engine, batch.tenant_ids, outcomes)
    progress = batch.place.progress(len(batch.tenant_ids), time.monotonic() - began)
    context.log.info(f"{progress}: {done.registered} registered")
    return done


@dg.op(
    description="Says who got a customer, who was refused or failed, and what to do. Fails the run"
    " for those; a refusal is reported once, because it is not tried again with the same data.",
)
def report_customers(
    context: dg.OpExecutionContext, reports: list[CustomerReport], engine: dg.ResourceParam[Engine]
) -> Iterator[dg.AssetMaterialization | dg.Output[None]]:
    done = CustomerReport.together(reports)
    with engine.connect() as connection:
        waiting = missing.waiting(connection, resting=(), limit=0)
    metadata = _metadata(done, waiting)
    context.log.info(report.summary(done, waiting))
    # Yielded, not logged: an event that an op logs is lost when the op raises.
    yield dg.AssetMaterialization("paystack_customers", metadata=metadata)
    if done.refused or done.failed:
        raise dg.Failure(report.in_words(done), metadata=metadata, allow_retries=False)
    yield dg.Output(None, metadata=metadata)


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
    with engine.begin() as connection:
        corrected = outdated.let_go_of_corrected(connection)
        tenant_ids = missing.tenants_of_planned_invoices(connection)
    if corrected:
        context.log.info(
            "The e-mail address was corrected since the Paystack customer was made; another is made"
            f" for tenant {', '.join(corrected)}"
        )
    seconds = seconds_left(context, tasks.taking_seconds)
    outcomes = Registration(engine, paystack).register_all(
        tenant_ids, width=tasks.batch_size, seconds=seconds, on_progress=context.log.info
    )
    rejected = next((o.why for o in outcomes if o.kind is Kind.KEY_REJECTED), None)
    if rejected:
        raise dg.Failure(rejected, allow_retries=False)
    return _report(context, engine, tenant_ids, outcomes)


def _let_go(
    context: dg.OpExecutionContext, registration: Registration, tenant_ids: Sequence[str]
) -> None:
    if not tenant_ids:
        raise ConfigFailure(
            "renew: true needs tenant_ids: name the tenants whose customer is to be made anew"
        )
    gone = registration.let_go_of_unknown(tenant_ids)
    context.log.info(
        f"{len(gone)} of {len(tenant_ids)} tenants have a customer that is not theirs at Paystack"
    )


def _report(
    context: dg.OpExecutionContext,
    engine: Engine,
    tenant_ids: Sequence[str],
    outcomes: Sequence[Outcome],
) -> CustomerReport:
    """Raises, to be tried again, while a retry may help and is left."""
    kinds = Counter(outcome.kind for outcome in outcomes)
    lines = [report.line(outcome) for outcome in outcomes if outcome.why]
    if lines:  # one event for all: each costs Dagster's storage as much as a request
        context.log.warning("\n".join(lines))
    again = kinds[Kind.FAILED] + kinds[Kind.BROKEN]
    try_again(context, again, len(outcomes), "tenants")
    with engine.connect() as connection:
        done = CustomerReport.of(missing.statuses(connection, tenant_ids), outcomes)
    context.add_output_metadata(done.counts())
    return done


def _metadata(done: CustomerReport, waiting: Waiting) -> dict[str, Any]:
    sections: dict[str, Section] = {
        "refused tenants": (report.PROBLEM_COLUMNS, report.refused_rows(done)),
        "failed tenants": (report.PROBLEM_COLUMNS, report.failed_rows(done)),
        "customers": (report.REGISTERED_COLUMNS, done.customers),
    }
    return {
        **page_and_tables(report.summary(done, waiting), sections),
        **done.counts(),
        "still without a customer": waiting.total,
        "refused until their data change": waiting.refused,
    }


def _log_unknown(context: dg.OpExecutionContext, unknown: Sequence[str], *, of: int) -> None:
    """One that was deleted after the sensor saw it is no failure; nothing but typing errors is."""
    if not unknown:
        return
    message = f"There is no tenant {', '.join(unknown[:10])} in LeaseUp"
    if len(unknown) == of:
        raise ConfigFailure(f"{message}. Copy the id from its page.")
    context.log.warning(f"{message}: left out")
