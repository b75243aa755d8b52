"""The promise about texts, as a check a person sees on the asset and can launch."""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
from sqlalchemy import Engine

from leaseup_dagster.checking import CheckFindings
from leaseup_dagster.reminders.keys import BatchReport
from leaseup_dagster.reminders.overdue import audit
from leaseup_dagster.retries import SERVICE_UNREACHABLE

ASSET = "reminders"
LATELY = timedelta(days=30)


def _no_paid_invoice_texted(engine: Engine) -> CheckFindings:
    with engine.connect().execution_options(postgresql_readonly=True) as connection:
        found = audit.texted_after_payment(connection, LATELY)
    return CheckFindings(
        asset=ASSET,
        name="no_paid_invoice_texted",
        wrong={"texted although paid": found},
        advice="The payment was recorded in LeaseUp before the text left. Apologise to the tenant,"
        " and report it: this must not happen.",
        more={"days examined": LATELY.days},
    )


# Blocking: launched by itself, a run that finds something wrong fails, and its exit code says so.
@dg.asset_check(
    asset=ASSET,
    blocking=True,
    description=f"In the last {LATELY.days} days nobody was texted about an invoice that LeaseUp"
    " knew to be paid more than a minute before.",
)
def no_paid_invoice_texted(engine: dg.ResourceParam[Engine]) -> dg.AssetCheckResult:
    return _no_paid_invoice_texted(engine).result()


REMINDER_CHECKS = [no_paid_invoice_texted]


@dg.op(
    retry_policy=SERVICE_UNREACHABLE,
    description="Evaluates the check of the asset `reminders`, as it stands after this run.",
)
def check_reminders(
    context: dg.OpExecutionContext,
    reports: list[BatchReport],
    engine: dg.ResourceParam[Engine],
) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
    findings = _no_paid_invoice_texted(engine)
    if not findings.passed:
        context.log.warning(f"Check failed: {findings.name}")
    yield findings.evaluation()
    yield dg.Output(None)
