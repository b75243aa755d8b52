"""The promises about invoices, as checks a person sees on the asset and can launch."""

from collections.abc import Callable, Iterator
from datetime import date

import dagster as dg
from sqlalchemy import Connection, Engine

from leaseup_dagster.as_of import resolve_as_of
from leaseup_dagster.checking import CheckFindings
from leaseup_dagster.invoicing.keys import BatchReport, InvoicePlan
from leaseup_dagster.invoicing.ledger import audit
from leaseup_dagster.invoicing.planning import missed
from leaseup_dagster.retries import SERVICE_UNREACHABLE
from leaseup_dagster.settings import TaskSettings
from leaseup_dagster.stopping import seconds_left

ASSET = "invoices"

_MISSED = """\
These months fell due while nothing ran. Check them with `preview_upcoming_invoices`, then bill
them: launch `check_upcoming_invoices` with

```yaml
ops:
  plan_invoices:
    config:
      bill_from: "{bill_from}"
```

A month billed some other way is settled by its invoice in LeaseUp, also by a cancelled one."""


def _one_invoice(connection: Connection, as_of: date, tasks: TaskSettings) -> CheckFindings:
    return CheckFindings(
        asset=ASSET,
        name="one_invoice_per_lease_and_due_date",
        wrong={"billed twice": audit.billed_twice(connection)},
        advice="Cancel the one that is not to be paid, with `cancel_invoice`. `explain_lease` tells"
        " where each came from.",
    )


def _every_due_lease(connection: Connection, as_of: date, tasks: TaskSettings) -> CheckFindings:
    months = missed.missed_months(connection, as_of, tasks)
    states = audit.months_by_state(connection)
    return CheckFindings(
        asset=ASSET,
        name="every_due_lease_billed_or_explained",
        wrong={
            "missed": months.missed,
            "past due and not finished": audit.open_past_due(connection, as_of),
        },
        advice=_MISSED.format(bill_from=months.bill_from)
        if months.bill_from
        else "Launch `check_upcoming_invoices`: it finishes what is open, and says why if not.",
        more={
            "as of": as_of.isoformat(),
            **{f"months {state}": count for state, count in states.items()},
            **{f"passed unbilled: {reason}": n for reason, n in months.explained.items()},
        },
    )


def _no_request_without_invoice(
    connection: Connection, as_of: date, tasks: TaskSettings
) -> CheckFindings:
    return CheckFindings(
        asset=ASSET,
        name="no_payment_request_without_invoice",
        wrong={
            "no answer for a day": audit.unanswered_for_a_day(connection),
            "invoice gone from LeaseUp": audit.invoice_gone(connection),
        },
        advice="Launch `check_upcoming_invoices` for what has no answer. Where the invoice is gone"
        " its payment request can still be paid: archive it in Paystack's dashboard.",
    )


def _one_biller(connection: Connection, as_of: date, tasks: TaskSettings) -> CheckFindings:
    return CheckFindings(
        asset=ASSET,
        name="only_one_biller",
        wrong={"made by LeaseUp's own task": audit.made_by_another_biller(connection)},
        advice="LeaseUp's own monthly task is still switched on, and bills leases that are billed"
        " here. Switch it off: two billers in the same minute can bill a month twice. The check is"
        " green again seven days after its last invoice.",
    )


_LEASES = """\
- *billed after the lease*: they stay payable, and nobody is texted about them. Take them back by
  launching `cancel_invoice` with

```yaml
ops:
  choose_invoices_to_cancel:
    config:
      invoice_ids: [{invoices}]
      reason: the lease is over
      confirm: true
```

- *another amount than the rent*: `explain_lease` names the difference. If the new rent is meant,
  `cancel_invoice`, then `create_invoice` with `rebill: true`.
- *two ACTIVE leases on one unit*: right where several people rent parts of one home; else end the
one that is
  over. Where they share a tenant, neither is billed beside the other."""


def _leases_in_order(connection: Connection, as_of: date, tasks: TaskSettings) -> CheckFindings:
    after = audit.billed_after_the_lease(connection, as_of)
    return CheckFindings(
        asset=ASSET,
        name="bills_agree_with_their_leases",
        wrong={
            "billed after the lease": after,
            "another amount than the rent": audit.billed_another_amount(connection, as_of),
            "two ACTIVE leases on one unit": audit.active_on_one_unit(connection, as_of),
        },
        advice=_LEASES.format(invoices=", ".join(after.ids)),
        severity=dg.AssetCheckSeverity.WARN,
    )


Ask = Callable[[Connection, date, TaskSettings], CheckFindings]
_QUESTIONS: tuple[Ask, ...] = (
    _one_invoice,
    _every_due_lease,
    _no_request_without_invoice,
    _one_biller,
    _leases_in_order,
)


def _ask(question: Ask, engine: Engine, tasks: TaskSettings, as_of: date) -> CheckFindings:
    with engine.connect().execution_options(postgresql_readonly=True) as connection:
        return question(connection, as_of, tasks)


# Blocking: launched by itself, a run that finds something wrong fails, and its exit code says so.
@dg.asset_check(
    asset=ASSET,
    blocking=True,
    description="No month that was billed here has two rent invoices in LeaseUp, cancelled ones"
    " aside.",
)
def one_invoice_per_lease_and_due_date(
    engine: dg.ResourceParam[Engine], tasks: dg.ResourceParam[TaskSettings]
) -> dg.AssetCheckResult:
    return _ask(_one_invoice, engine, tasks, resolve_as_of("")).result()


@dg.asset_check(
    asset=ASSET,
    blocking=True,
    description="Every month whose due date has passed since the service began (at most a year"
    " ago), of each lease with automatic invoicing, was billed, or there is a reason why not. What"
    " was missed is listed with the config that bills it.",
)
def every_due_lease_billed_or_explained(
    engine: dg.ResourceParam[Engine], tasks: dg.ResourceParam[TaskSettings]
) -> dg.AssetCheckResult:
    return _ask(_every_due_lease, engine, tasks, resolve_as_of("")).result()


@dg.asset_check(
    asset=ASSET,
    blocking=True,
    description="Every payment request the ledger knows of has its invoice in LeaseUp, and none"
    " has been without an answer for a day. What only Paystack knows is found by"
    " reconcile_payment_requests.",
)
def no_payment_request_without_invoice(
    engine: dg.ResourceParam[Engine], tasks: dg.ResourceParam[TaskSettings]
) -> dg.AssetCheckResult:
    return _ask(_no_request_without_invoice, engine, tasks, resolve_as_of("")).result()


@dg.asset_check(
    asset=ASSET,
    blocking=True,
    description="In the last seven days LeaseUp's own monthly task made no rent invoice for a lease"
    " that is billed here.",
)
def only_one_biller(
    engine: dg.ResourceParam[Engine], tasks: dg.ResourceParam[TaskSettings]
) -> dg.AssetCheckResult:
    return _ask(_one_biller, engine, tasks, resolve_as_of("")).result()


@dg.asset_check(
    asset=ASSET,
    description="No invoice of ours is open for a day after its lease is over, none to come says"
    " another amount than the rent, and no unit has two ACTIVE leases. A person decides.",
)
def bills_agree_with_their_leases(
    engine: dg.ResourceParam[Engine], tasks: dg.ResourceParam[TaskSettings]
) -> dg.AssetCheckResult:
    return _ask(_leases_in_order, engine, tasks, resolve_as_of("")).result()


INVOICE_CHECKS = [
    one_invoice_per_lease_and_due_date,
    every_due_lease_billed_or_explained,
    no_payment_request_without_invoice,
    only_one_biller,
    bills_agree_with_their_leases,
]


@dg.op(
    retry_policy=SERVICE_UNREACHABLE,
    description="Evaluates the checks of the asset `invoices`, as they stand after this run.",
)
def check_invoices(
    context: dg.OpExecutionContext,
    plan: InvoicePlan,
    settled: BatchReport,
    engine: dg.ResourceParam[Engine],
    tasks: dg.ResourceParam[TaskSettings],
) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
    if seconds_left(context, tasks.taking_seconds) <= 0:
        context.log.info("No time left for the checks; audit_books evaluates them")
        yield dg.Output(None)
        return
    for question in _QUESTIONS:
        findings = _ask(question, engine, tasks, plan.as_of)
        if not findings.passed:
            context.log.warning(f"Check failed: {findings.in_words()}")
        yield findings.evaluation()
    yield dg.Output(None)
