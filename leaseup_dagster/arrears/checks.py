"""Whether arrears are as usual: a warning that a person sees on the asset and can launch."""

from collections.abc import Iterator

import dagster as dg
from sqlalchemy import Engine

from leaseup_dagster.arrears import report, summary
from leaseup_dagster.arrears.summary import Arrears
from leaseup_dagster.as_of import resolve_as_of
from leaseup_dagster.checking import CheckFindings, Found
from leaseup_dagster.retries import SERVICE_UNREACHABLE
from leaseup_dagster.settings import ArrearsSettings, load

_JUDGED_BY = ("overdue rands", "share collected percent")


def _in_their_usual_range(found: Arrears) -> CheckFindings:
    """A warning when a setting's limit is passed; without one it never is."""
    rules = load(ArrearsSettings)
    share = found.share_collected
    most, least = rules.most_overdue_rands, rules.least_share_percent
    too_much = bool(most) and found.all.overdue > most * 100
    too_little = bool(least) and share is not None and 100 * share < least
    return CheckFindings(
        "arrears",
        "arrears_in_their_usual_range",
        {
            "more is overdue than ARREARS_MOST_OVERDUE_RANDS": Found(int(too_much)),
            "less has come in than ARREARS_LEAST_SHARE_PERCENT": Found(int(too_little)),
        },
        advice="Check the asset's table by landlord: who owes most comes first.",
        more={name: number for name, number in report.numbers(found).items() if name in _JUDGED_BY},
        severity=dg.AssetCheckSeverity.WARN,
    )


@dg.asset_check(
    asset="arrears",
    description="Warns when more is overdue than ARREARS_MOST_OVERDUE_RANDS, or less of what fell"
    " due has come in than ARREARS_LEAST_SHARE_PERCENT.",
)
def arrears_in_their_usual_range(engine: dg.ResourceParam[Engine]) -> dg.AssetCheckResult:
    with engine.begin() as connection:
        found = summary.arrears(connection, resolve_as_of(""), report.LISTED)
    return _in_their_usual_range(found).result()


ARREARS_CHECKS = [arrears_in_their_usual_range]


@dg.op(
    retry_policy=SERVICE_UNREACHABLE,
    description="Evaluates the check of the asset `arrears` on what was added up.",
)
def check_arrears(found: Arrears) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
    yield _in_their_usual_range(found).evaluation()
    yield dg.Output(None)
