"""Days that the sandbox never lived through: what Dagster would have launched in them, and when.

Each job is really run, one after the other and now, since Dagster cannot be given another time.
What a run left behind is then moved back to the hour at which its schedule would have launched it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from functools import partial
from itertools import takewhile
from typing import Any

import dagster as dg
from dagster._core.instance.ref import InstanceRef
from dagster._core.remote_origin import RemoteRepositoryOrigin
from dagster._core.storage.tags import SCHEDULE_NAME_TAG, SENSOR_NAME_TAG
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._utils.schedules import schedule_execution_time_iterator
from sqlalchemy import Engine, NullPool, create_engine, text

from leaseup_dagster.as_of import JOHANNESBURG, midnight
from leaseup_dagster.customers.jobs import create_paystack_customers, tenants_without_customer
from leaseup_dagster.definitions import defs, leaseup_tables
from leaseup_dagster.sandbox.moving import Back
from leaseup_dagster.sandbox.scene import lay_out
from leaseup_dagster.sandbox.world import World

_BEFORE_ALL = timedelta(days=30)
"""The demo's rows are a few days old, or years."""

_AT_NOON = timedelta(hours=12)

_PAYABLE = text(
    """
    SELECT "paystackId" FROM invoice
    JOIN leaseup_dagster.invoice_ledger AS ledger ON ledger.invoice_id = invoice.id
    WHERE invoice.status IN ('PENDING', 'OVERDUE') AND ledger.attempts > 0
    ORDER BY "dueDate", lease_id LIMIT 2
    """
)


@dataclass(frozen=True, order=True)
class _Happening:
    """Something that happened once. `what` raises RuntimeError when it does not succeed."""

    at: datetime
    said: str
    what: Callable[[], None] = field(compare=False)


def lay_out_past(world: World, today: date, days: int) -> None:
    """The demo's leases since so many times 24 hours, and each run and payment from then till now.

    Raises RuntimeError when a run fails.
    """
    until = datetime.now(tz=timezone.utc)
    since = until - timedelta(days=days)
    with _dagster_of(world) as (instance, dagster):
        back = Back(world, dagster)
        with back.to(since, began=until - _BEFORE_ALL):
            lay_out(world, today)
            instance.report_runless_asset_event(dg.AssetMaterialization(leaseup_tables.key))
        if days == 0:
            return
        for happening in _happenings(world, since, until):
            at = happening.at.astimezone(JOHANNESBURG)
            print(f"{at:%A, %d %B, %H:%M}  {happening.said}", flush=True)
            with back.to(happening.at):
                happening.what()
        _give_origins(world, instance)


def _happenings(world: World, since: datetime, until: datetime) -> list[_Happening]:
    found = [_by_the_sensor(world, since + timedelta(minutes=1))]
    for schedule in defs.schedules or ():
        if isinstance(schedule, dg.ScheduleDefinition) and _is_on(schedule):
            found += _by_the_clock(world, schedule, since, until)
    day = since.astimezone(JOHANNESBURG).date()
    while (noon := midnight(day) + _AT_NOON) < until:
        if noon > since:
            found.append(_Happening(noon, "tenants pay", partial(_tenants_pay, world)))
        day += timedelta(days=1)
    return sorted(found)


def _is_on(schedule: dg.ScheduleDefinition) -> bool:
    return schedule.default_status is dg.DefaultScheduleStatus.RUNNING


def _by_the_clock(
    world: World, schedule: dg.ScheduleDefinition, since: datetime, until: datetime
) -> Iterator[_Happening]:
    """Each of the schedule's runs, with the config and the tags it gives them."""
    ticks = schedule_execution_time_iterator(
        since.timestamp(), schedule.cron_schedule, schedule.execution_timezone
    )
    for at in takewhile(lambda tick: tick < until, ticks):
        context = dg.build_schedule_context(scheduled_execution_time=at)
        for request in schedule.evaluate_tick(context).run_requests or ():
            tags = {**request.tags, SCHEDULE_NAME_TAG: schedule.name}
            ops = request.run_config.get("ops", {})
            config = {op: given["config"] for op, given in ops.items()}
            run = partial(_run, world, schedule.job_name, config, tags)
            yield _Happening(at, schedule.job_name, run)


def _by_the_sensor(world: World, at: datetime) -> _Happening:
    job, tags = create_paystack_customers.name, {SENSOR_NAME_TAG: tenants_without_customer.name}
    return _Happening(at, job, partial(_run, world, job, {}, tags))


def _run(world: World, job: str, ops: Mapping[str, Any], tags: Mapping[str, str]) -> None:
    if not world.execute(job, ops, tags):
        raise RuntimeError(f"{job} failed:\n\n{world.log_tail()}")


def _tenants_pay(world: World) -> None:
    """Two of those who were billed. LeaseUp's webhook hears of the first; the night finds both."""
    with world.engine.connect() as connection:
        codes = connection.execute(_PAYABLE).scalars().all()
    for code, heard in zip(codes, (True, False), strict=False):
        world.paystack.pay(code, heard=heard)


@contextmanager
def _dagster_of(world: World) -> Iterator[tuple[dg.DagsterInstance, Engine]]:
    """Dagster as the world's processes see it, which know its database by their environment."""
    storage = {"storage": {"postgres": {"postgres_url": world.dagster_url}}}
    home = InstanceRef.from_dir(str(world.dagster_home), overrides=storage)
    engine = create_engine(world.dagster_url, poolclass=NullPool)
    with dg.DagsterInstance.from_ref(home) as instance:
        yield instance, engine


def _give_origins(world: World, instance: dg.DagsterInstance) -> None:
    """The timeline draws only runs that were launched of a code location's job.

    `dagster job execute` knows of no location: it loads the code itself.
    """
    (location,) = WorkspaceFileTarget([str(world.workspace)]).create_origins()
    repository = RemoteRepositoryOrigin(location, "__repository__")
    for run in instance.get_runs():
        origin = repository.get_job_origin(run.job_name)
        instance.run_storage.replace_job_origin(run, origin)
