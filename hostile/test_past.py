"""The sandbox's past is consistent in Dagster's storage, in LeaseUp and at the stand-ins."""

from datetime import datetime, timedelta, timezone

from sqlalchemy import create_engine, text

from leaseup_dagster.as_of import johannesburg_date, resolve_as_of
from leaseup_dagster.sandbox.past import lay_out_past
from leaseup_dagster.sandbox.world import a_world

ASSETS = {
    "leaseup_tables", "paystack_customers", "invoices", "payment_requests", "reminders", "arrears",
    "landlord_emails",
}  # fmt: skip
RUNS = text(
    """
    SELECT pipeline_name AS job, create_timestamp AT TIME ZONE 'UTC' AS at,
           to_timestamp(start_time) AS began, to_timestamp(end_time) AS ended, status,
           run_body::json -> 'external_pipeline_origin' ->> '__class__' AS origin,
           run_body::json -> 'tags' ->> 'dagster/schedule_name' AS schedule
    FROM runs
    """
)
LAST_EVENTS = text(
    """
    SELECT key.asset_key::json ->> 0 AS asset, last_materialization_timestamp AT TIME ZONE 'UTC',
           to_timestamp((last_materialization::json -> 'event_log_entry' ->> 'timestamp')::float),
           log.timestamp AT TIME ZONE 'UTC',
           to_timestamp((log.event::json ->> 'timestamp')::float)
    FROM asset_keys AS key JOIN LATERAL (
        SELECT * FROM event_logs WHERE asset_key = key.asset_key
        AND dagster_event_type = 'ASSET_MATERIALIZATION' ORDER BY id DESC LIMIT 1) AS log ON true
    """
)
EVENTS_OUTSIDE_THEIR_RUN = text(
    """
    SELECT count(*) FROM event_logs JOIN runs USING (run_id)
    WHERE (event::json ->> 'timestamp')::float NOT BETWEEN
        extract(epoch FROM create_timestamp) - 5 AND end_time + 5
    """
)
OURS = text(
    """
    SELECT (SELECT max(planned_at) FROM leaseup_dagster.invoice_ledger),
           (SELECT max(at) FROM leaseup_dagster.invoice_history),
           (SELECT max("createdAt") AT TIME ZONE 'UTC' FROM invoice),
           (SELECT max("createdAt") AT TIME ZONE 'UTC' FROM transaction)
    """
)


def test_each_event_of_a_past_day_has_its_time() -> None:
    """One test for all checks, as the sandbox takes half a minute."""
    before = datetime.now(tz=timezone.utc)
    with a_world() as world:
        lay_out_past(world, resolve_as_of(""), days=1)
        dagster = create_engine(world.dagster_url)
        with dagster.connect() as connection, world.engine.connect() as leaseup:
            runs = connection.execute(RUNS).all()
            last = {row[0]: row[1:] for row in connection.execute(LAST_EVENTS)}
            outside = connection.execute(EVENTS_OUTSIDE_THEIR_RUN).scalar_one()
            ours = leaseup.execute(OURS).one()
        dagster.dispose()
        billed = [r.created_at for r in world.paystack.payment_requests if r.metadata]

    by_clock = {
        run.job: f"{run.at + timedelta(hours=2):%H:%M}" for run in runs if run.schedule is not None
    }
    assert by_clock | {"forget_old_communications": "03:00", "forget_old_runs": "03:30"} == {
        "reconcile_payment_requests": "02:00",
        "forget_old_communications": "03:00",  # on Sundays
        "forget_old_runs": "03:30",
        "check_upcoming_invoices": "07:00",
        "tell_landlords": "08:30",
        "send_late_payment_reminders": "09:00",
        "report_arrears": "09:30",
        "update_delivery_status": "18:00",
    }
    assert {run.status for run in runs} == {"SUCCESS"}
    assert {run.origin for run in runs} == {"ExternalPipelineOrigin"}
    for run in runs:
        assert run.at <= run.began <= run.ended < run.at + timedelta(minutes=10), run.job
        assert before - timedelta(days=1) <= run.at < before
    assert outside == 0
    assert set(last) == ASSETS
    days = {johannesburg_date(before - timedelta(days=back)) for back in (0, 1)}
    for asset, timestamps in last.items():  # every place where Dagster stores it
        assert max(timestamps) - min(timestamps) < timedelta(seconds=1), asset
        assert johannesburg_date(timestamps[0]) in days
    (morning,) = [run.at for run in runs if run.job == "check_upcoming_invoices"]
    for made in (*billed, *ours[:3]):
        assert made < morning + timedelta(minutes=10)
    assert max(billed) >= morning
    assert ours[3] < before
