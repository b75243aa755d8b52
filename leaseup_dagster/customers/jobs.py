"""What a person launches, and what goes by itself: the backfill of customers and its sensor."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import dagster as dg
from sqlalchemy import Connection, Engine

from leaseup_dagster.customers import missing, next_batch
from leaseup_dagster.customers.next_batch import FailedBatch
from leaseup_dagster.customers.ops import (
    create_customers,
    find_tenants_without_customer,
    report_customers,
)
from leaseup_dagster.labels import DAILY, OWNERS
from leaseup_dagster.stopping import CONTINUES

_UNFINISHED = [
    # Not NOT_STARTED: the daemon goes on with such a run itself, when it is asked for again.
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_BEGUN = (dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED)
_FAILED = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]

paystack_customers = dg.AssetSpec(
    "paystack_customers",
    group_name="rent",
    owners=OWNERS,
    kinds={"paystack"},
    deps=["leaseup_tables"],
    description="Made by create_paystack_customers, within a minute of a new tenant (sensor"
    " tenants_without_customer). Tenants that got a Paystack customer, and those that Paystack"
    " refused.",
)

LONGEST_RUN = timedelta(hours=1)
"""A run that began longer ago lost its process: `dagster.yaml` lets none live longer."""


@dg.job(
    description="Makes a Paystack customer for every tenant without one, or for those in"
    " `tenant_ids`. Safe to launch at any time: who has one is left alone, and Paystack answers a"
    " known e-mail address with its customer. New tenants are found by tenants_without_customer.",
    tags={**DAILY, "leaseup/exclusive": "create_paystack_customers"},
)
def create_paystack_customers() -> None:
    report_customers(find_tenants_without_customer().map(create_customers).collect())


@dg.sensor(
    job=create_paystack_customers,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Checks twice a minute for tenants without a Paystack customer, and has them made:"
    f" {next_batch.BATCH} at a time, one run after the other; the next is queued when more than"
    " half of"
    f" one is done. Tenants of a failed run rest for {next_batch.REST.seconds // 60} minutes.",
)
def tenants_without_customer(
    context: dg.SensorEvaluationContext, engine: dg.ResourceParam[Engine]
) -> dg.RunRequest | dg.SkipReason:
    return evaluate(context, engine, now=datetime.now(tz=timezone.utc))


def evaluate(
    context: dg.SensorEvaluationContext, engine: Engine, *, now: datetime
) -> dg.RunRequest | dg.SkipReason:
    """What the sensor does at `now`. The cursor only saves work: losing it loses nobody."""
    unfinished = _unfinished(context.instance, now)
    at_work = unfinished[0] if unfinished else None
    theirs = _tenant_ids(at_work) if at_work else ()
    if at_work and (len(unfinished) > 1 or at_work.status not in _BEGUN or not theirs):
        return _after(at_work)
    with engine.connect() as connection:
        # Read before the tenants: what is written in between is seen twice, never missed.
        table = missing.tenant_table(connection)
        known = next_batch.nothing_new(context.cursor, table, now)
        if known:
            return dg.SkipReason(known)
        if at_work and not _goes_well(connection, theirs):
            return _after(at_work)
        failed = _failed_batches(context.instance, now)
        resting = {tenant_id for batch in failed for tenant_id in batch.tenant_ids}
        waiting = missing.waiting(
            connection, resting=resting, limit=next_batch.BATCH, besides=theirs
        )
        pause = next_batch.pause(waiting, failed, table, now)
        if pause and at_work:
            return _after(at_work)
        if pause:
            context.update_cursor(pause.cursor)
            return dg.SkipReason(pause.why)
        fingerprint = missing.fingerprint(connection, waiting.tenant_ids)
    context.update_cursor(None)
    config = {"tenant_ids": list(waiting.tenant_ids)}
    continues = {CONTINUES: at_work.run_id} if at_work else {}
    return dg.RunRequest(
        run_key=next_batch.run_key(waiting.tenant_ids, fingerprint, now),
        run_config={"ops": {find_tenants_without_customer.name: {"config": config}}},
        tags={
            "leaseup/wave": f"{len(waiting.tenant_ids)} of {waiting.total - waiting.resting}",
            **continues,
        },
    )


def _unfinished(instance: dg.DagsterInstance, now: datetime) -> list[dg.DagsterRun]:
    """The runs that are queued or at work, whoever launched them, the newest first."""
    unfinished = dg.RunsFilter(job_name=create_paystack_customers.name, statuses=_UNFINISHED)
    return [
        record.dagster_run
        for record in instance.get_run_records(unfinished, limit=20)
        if record.dagster_run.status is dg.DagsterRunStatus.QUEUED
        or record.update_timestamp > now - LONGEST_RUN
    ]


def _after(at_work: dg.DagsterRun) -> dg.SkipReason:
    return dg.SkipReason(f"Run {at_work.run_id} is at work; whoever is left comes after it.")


def _goes_well(connection: Connection, tenant_ids: Sequence[str]) -> bool:
    left = missing.tenants_to_register(connection, tenant_ids, len(tenant_ids))
    return next_batch.goes_well(len(tenant_ids), len(left))


def _failed_batches(instance: dg.DagsterInstance, now: datetime) -> list[FailedBatch]:
    failed = dg.RunsFilter(
        job_name=create_paystack_customers.name,
        statuses=_FAILED,
        updated_after=now - next_batch.REST,
    )
    return [
        FailedBatch(record.update_timestamp, _tenant_ids(record.dagster_run))
        for record in instance.get_run_records(failed)
    ]


def _tenant_ids(run: dg.DagsterRun) -> tuple[str, ...]:
    """Those its config names: none if it was to register all. A failed run's config may be no
    config at all."""
    found: Any = run.run_config
    for name in ("ops", find_tenants_without_customer.name, "config", "tenant_ids"):
        found = found.get(name) if isinstance(found, Mapping) else None
    return tuple(str(tenant_id) for tenant_id in found) if isinstance(found, list) else ()
