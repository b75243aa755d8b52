"""The sensor over time: new tenants arrive, runs fail, daemons restart; nobody is left out."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from sqlalchemy import Connection, Engine, text

from leaseup_dagster.customers import next_batch
from leaseup_dagster.customers.jobs import (
    create_paystack_customers,
    evaluate,
    tenants_without_customer,
)
from leaseup_dagster.customers.next_batch import BATCH, OUTAGE, REST
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from tests.customers.conftest import JOB, Codes, Daemon, Tenants
from tests.processes import Child

Run = Callable[..., dg.ExecuteInProcessResult]

CREATE = "POST /customer"
ALL_WELL = "Every tenant has a Paystack customer."


def asked_for(answer: dg.RunRequest | str) -> list[str]:
    """The ids in the run that is asked for."""
    assert isinstance(answer, dg.RunRequest), answer
    found: list[str] = answer.run_config["ops"]["find_tenants_without_customer"]["config"][
        "tenant_ids"
    ]
    return found


def succeeded(result: object) -> bool:
    assert isinstance(result, dg.ExecuteInProcessResult), result
    return result.success


def later(**delta: float) -> datetime:
    return datetime.now(tz=timezone.utc) + timedelta(**delta)


def test_new_tenants_are_registered_as_they_arrive_and_only_they(
    daemon: Daemon, tenants: Tenants, codes: Codes, paystack: PaystackStandIn
) -> None:
    assert daemon.tick() == ALL_WELL
    for arriving in (1, 3, 2):
        new = tenants(arriving)
        asked = daemon.tick()
        assert asked_for(asked) == sorted(new)
        assert isinstance(asked, dg.RunRequest)
        assert succeeded(daemon.launch(asked))
        assert daemon.tick() == ALL_WELL

    assert None not in codes().values()
    assert len(paystack.requests) == 6


def test_a_backfill_is_drained_in_bounded_runs(
    daemon: Daemon, tenants: Tenants, codes: Codes, paystack: PaystackStandIn
) -> None:
    tenants(BATCH + 100)
    sizes = []
    while isinstance(asked := daemon.tick(), dg.RunRequest):
        sizes.append(len(asked_for(asked)))
        assert succeeded(daemon.launch(asked))

    assert sizes == [BATCH, 100]
    assert len(set(codes().values())) == len(paystack.requests) == BATCH + 100


def test_nothing_is_launched_while_a_run_is_at_work_whoever_launched_it(
    daemon: Daemon, tenants: Tenants, instance: dg.DagsterInstance
) -> None:
    tenants()
    by_hand = instance.create_run_for_job(
        create_paystack_customers, status=dg.DagsterRunStatus.STARTED
    )

    assert daemon.tick() == f"Run {by_hand.run_id} is at work; whoever is left comes after it."
    instance.report_run_canceled(by_hand)
    assert asked_for(daemon.tick())


Begun = Callable[[dg.RunRequest | str], dg.DagsterRun]


@pytest.fixture
def begun(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Begun:
    """The batch that is asked for, at work; four tenants are one."""
    monkeypatch.setattr(next_batch, "BATCH", 4)

    def begin(asked: dg.RunRequest | str) -> dg.DagsterRun:
        assert isinstance(asked, dg.RunRequest), asked
        return instance.create_run_for_job(
            create_paystack_customers,
            run_config=asked.run_config,
            tags=dict(asked.tags),
            status=dg.DagsterRunStatus.STARTED,
        )

    return begin


def registered(connection: Connection, tenant_ids: list[str]) -> None:
    sql = text("UPDATE tenant SET \"paystackCustomerId\" = 'CUS_x' WHERE id = ANY(:ids)")
    connection.execute(sql, {"ids": tenant_ids})


def test_the_next_wave_is_in_the_queue_when_more_than_half_of_one_is_done(
    daemon: Daemon, begun: Begun, tenants: Tenants, instance: dg.DagsterInstance,
    connection: Connection,
) -> None:  # fmt: skip
    tenants(10)
    first = begun(asked := daemon.tick())
    theirs = asked_for(asked)
    registered(connection, theirs[:2])
    assert daemon.tick() == f"Run {first.run_id} is at work; whoever is left comes after it."
    registered(connection, theirs[2:3])

    following = daemon.tick()

    assert len(asked_for(following)) == 4
    assert not set(asked_for(following)) & set(theirs)
    assert isinstance(following, dg.RunRequest)
    assert following.tags["leaseup/continues"] == first.run_id
    assert following.tags["leaseup/wave"] == "4 of 6"
    second = begun(following)
    registered(connection, [*theirs, *asked_for(following)])
    assert daemon.tick() == f"Run {second.run_id} is at work; whoever is left comes after it."
    instance.report_run_canceled(first)
    assert isinstance(daemon.tick(), dg.RunRequest)


def test_behind_a_wave_that_waits_in_the_queue_there_is_no_other(
    daemon: Daemon, begun: Begun, tenants: Tenants, instance: dg.DagsterInstance,
    connection: Connection,
) -> None:  # fmt: skip
    tenants(10)
    asked = daemon.tick()
    assert isinstance(asked, dg.RunRequest)
    here = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "__repository__")
    queued = instance.create_run_for_job(
        create_paystack_customers,
        run_config=asked.run_config,
        status=dg.DagsterRunStatus.QUEUED,
        remote_job_origin=RemoteJobOrigin(here, JOB),
    )
    registered(connection, asked_for(asked))

    assert daemon.tick() == f"Run {queued.run_id} is at work; whoever is left comes after it."


def test_beside_a_wave_that_has_everybody_nobody_is_sent_and_all_are_not_said_to_be_well(
    daemon: Daemon, begun: Begun, tenants: Tenants, connection: Connection
) -> None:
    tenants(4)
    only = begun(asked := daemon.tick())
    registered(connection, asked_for(asked)[:3])

    assert daemon.tick() == f"Run {only.run_id} is at work; whoever is left comes after it."
    assert daemon.cursor is None


def test_a_wave_after_one_that_a_person_stopped_sends_nobody(
    daemon: Daemon, begun: Begun, tenants: Tenants, instance: dg.DagsterInstance,
    connection: Connection, paystack: PaystackStandIn,
) -> None:  # fmt: skip
    """It was in the queue by then. A person who stops one does not want to see the next begin."""
    tenants(8)
    first = begun(asked := daemon.tick())
    registered(connection, asked_for(asked)[:3])
    following = daemon.tick()
    assert isinstance(following, dg.RunRequest)
    instance.report_run_canceled(first)

    assert succeeded(daemon.launch(following))

    assert paystack.requests_to(CREATE) == []


def test_a_run_whose_process_was_lost_does_not_block_for_ever(
    daemon: Daemon, tenants: Tenants, instance: dg.DagsterInstance
) -> None:
    """Killed with its machine it stays STARTED; without run monitoring nobody ends it."""
    tenants()
    instance.create_run_for_job(create_paystack_customers, status=dg.DagsterRunStatus.STARTED)

    assert isinstance(daemon.tick(later(minutes=30)), str)
    assert asked_for(daemon.tick(later(minutes=61)))


def test_a_run_that_waits_in_the_queue_is_waited_for(
    daemon: Daemon, tenants: Tenants, instance: dg.DagsterInstance
) -> None:
    tenants()
    here = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "__repository__")
    instance.create_run_for_job(
        create_paystack_customers,
        status=dg.DagsterRunStatus.QUEUED,
        remote_job_origin=RemoteJobOrigin(here, JOB),
    )

    assert "is at work" in str(daemon.tick(later(hours=5)))


def test_one_failing_tenant_among_25_rests_and_nobody_waits_for_it(
    daemon: Daemon, tenants: Tenants, codes: Codes, paystack: PaystackStandIn
) -> None:
    bad, *_ = tenants(25)
    paystack.faults.on(CREATE, Fault.status(500), matching=f'"{bad}"', times=None)
    assert not succeeded(daemon.tick_and_run())

    assert "could not be registered: 1;" in str(daemon.tick())
    new = tenants()
    assert succeeded(daemon.tick_and_run())
    assert [tenant for tenant, code in codes().items() if code is None] == [bad]
    assert codes()[new[0]]


def test_a_failed_tenant_is_tried_again_later_and_not_before(
    daemon: Daemon, tenants: Tenants, codes: Codes, paystack: PaystackStandIn
) -> None:
    (tenant,) = tenants()
    paystack.stop()
    assert not succeeded(daemon.tick_and_run())
    paystack.start()

    assert isinstance(daemon.tick(later(seconds=REST.total_seconds() - 30)), str)
    assert succeeded(daemon.tick_and_run(later(seconds=REST.total_seconds() + 30)))
    assert codes()[tenant]


def test_in_an_outage_one_wave_fails_and_the_others_wait(
    daemon: Daemon, tenants: Tenants, paystack: PaystackStandIn, settings: pytest.MonkeyPatch
) -> None:
    tenants(OUTAGE)
    settings.setenv("PAYSTACK_SECRET_KEY", "sk_test_wrong")
    assert not succeeded(daemon.tick_and_run())
    tenants(5)

    assert f"could not be registered: {OUTAGE};" in str(daemon.tick())
    settings.setenv("PAYSTACK_SECRET_KEY", "sk_test_sandbox")
    assert len(asked_for(daemon.tick(later(minutes=16)))) == OUTAGE + 5


def test_a_wave_that_a_person_ended_is_not_started_again_at_once(
    daemon: Daemon, tenants: Tenants, instance: dg.DagsterInstance
) -> None:
    tenants()
    asked = daemon.tick()
    assert isinstance(asked, dg.RunRequest)
    ended = instance.create_run_for_job(create_paystack_customers, run_config=asked.run_config)
    instance.report_run_canceled(ended)

    assert "could not be registered" in str(daemon.tick())


def test_a_refused_tenant_is_left_alone_until_its_data_change(
    daemon: Daemon, tenants: Tenants, codes: Codes, connection: Connection
) -> None:
    (bad,) = tenants(email="thandi@")
    assert not succeeded(daemon.tick_and_run())
    assert "who were refused: 1." in str(daemon.tick(later(hours=5)))

    connection.execute(text("UPDATE tenant SET email = 'thandi@example.com'"))

    assert succeeded(daemon.tick_and_run())
    assert codes()[bad]


@pytest.mark.parametrize("cursor", ["kept", "lost"])
def test_a_restart_between_ticks_neither_repeats_nor_forgets(
    daemon: Daemon, tenants: Tenants, codes: Codes, instance: dg.DagsterInstance, engine: Engine,
    paystack: PaystackStandIn, cursor: str,
) -> None:  # fmt: skip
    tenants(3)
    assert succeeded(daemon.tick_and_run())
    daemon.tick()
    tenants(2)

    restarted = Daemon(instance, engine, daemon.cursor if cursor == "kept" else None)

    assert succeeded(restarted.tick_and_run())
    assert restarted.tick() == ALL_WELL
    assert None not in codes().values()
    assert len(paystack.requests) == 5


def test_two_daemons_that_tick_at_once_ask_for_one_run(
    daemon: Daemon, tenants: Tenants, instance: dg.DagsterInstance, engine: Engine,
    paystack: PaystackStandIn,
) -> None:  # fmt: skip
    tenants(25)
    now = datetime.now(tz=timezone.utc)
    first, second = daemon.tick(now), Daemon(instance, engine).tick(now)
    assert isinstance(first, dg.RunRequest)
    assert isinstance(second, dg.RunRequest)

    assert succeeded(daemon.launch(first))
    assert daemon.launch(second) is None
    assert len(paystack.requests) == 25


def test_two_runs_at_once_end_with_one_customer_for_each(
    run: Run, start: Callable[[str], Child], tenants: Tenants, codes: Codes,
    paystack: PaystackStandIn,
) -> None:  # fmt: skip
    """Run key and queue prevent it, but `dagster job execute` asks neither."""
    tenants(25)
    silence = paystack.faults.on(CREATE, Fault.hang_after_accepting())
    other = start(JOB)
    assert silence.arrived.wait(30)

    assert run(JOB).success
    silence.release()

    assert other.wait(30) == 0
    assert sorted(codes().values(), key=str) == sorted(c.customer_code for c in paystack.customers)


def test_a_cursor_never_hides_a_tenant_from_a_table_that_is_cheap_to_read(
    daemon: Daemon, tenants: Tenants, engine: Engine, instance: dg.DagsterInstance
) -> None:
    assert daemon.tick() == ALL_WELL
    assert daemon.cursor

    tenants()

    context = dg.build_sensor_context(instance=instance, cursor=daemon.cursor)
    assert isinstance(evaluate(context, engine, now=later()), dg.RunRequest)


def test_the_sensor_runs_by_default_every_half_minute() -> None:
    assert tenants_without_customer.default_status is dg.DefaultSensorStatus.RUNNING
    assert tenants_without_customer.minimum_interval_seconds == 30
