"""What a reconciliation says it did: counts, and rows for people. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence

from leaseup_dagster.money import format_rands
from leaseup_dagster.reconciliation.repairs import Finding, Kind
from leaseup_dagster.reconciliation.windows import WindowReport

COLUMNS = ("lease", "due date", "amount", "payment request", "reference", "what", "why")
FAILED_DAY_COLUMNS = ("day", "why")

DONE = (Kind.ADOPTED, Kind.PAID, Kind.ARCHIVED)
FAILS_THE_RUN = (Kind.UNDECIDED, Kind.FAILED)
FOR_A_PERSON = (*FAILS_THE_RUN, Kind.WAITING)
_LINES = 50


def total(reports: Sequence[WindowReport]) -> WindowReport:
    """All windows as one."""
    return WindowReport(
        days=sum(report.days for report in reports),
        listed=sum(report.listed for report in reports),
        ours=sum(report.ours for report in reports),
        findings=tuple(finding for report in reports for finding in report.findings),
        failed=tuple(failed for report in reports for failed in report.failed),
        left=tuple(sorted(day for report in reports for day in report.left)),
    )


def counts(findings: Iterable[Finding]) -> dict[str, int]:
    """How many of each kind; every kind, so that they can be plotted."""
    found = Counter(finding.kind for finding in findings)
    return {kind.value: found[kind] for kind in Kind}


def rows(
    findings: Iterable[Finding], kinds: Sequence[Kind]
) -> list[tuple[str, str, str, str, str, str, str]]:
    """A row for each finding of these kinds, for people."""
    return [
        (
            finding.key.lease_id if finding.key else "",
            finding.key.due_date.isoformat() if finding.key else "",
            format_rands(finding.amount_cents),
            finding.request_code,
            finding.reference,
            finding.kind.value,
            finding.why,
        )
        for finding in findings
        if finding.kind in kinds
    ]


def line(finding: Finding) -> str:
    """One finding for the log."""
    month = (
        f" lease_id={finding.key.lease_id} due_date={finding.key.due_date}" if finding.key else ""
    )
    why = f": {finding.why}" if finding.why else ""
    return (
        f"Payment request {finding.kind.value} request_code={finding.request_code}"
        f" reference={finding.reference}{month} amount_cents={finding.amount_cents}{why}"
    )


def summary(report: WindowReport) -> str:
    """The run in one line."""
    said = ", ".join(f"{n} {kind}" for kind, n in counts(report.findings).items() if n)
    left = (
        f"; {len(report.left)} days left, {report.left[0]} to {report.left[-1]}"
        if report.left
        else ""
    )
    return (
        f"Reconciliation: {report.ours} of ours among {report.listed} payment requests of"
        f" {report.days} days; {said or 'no differences'}{left}"
    )


def in_words(report: WindowReport) -> str:
    """Why the run fails, one per line; empty: it does not."""
    lines = [f"{day} was not compared: {why}" for day, why in report.failed]
    lines += [line(finding) for finding in report.findings if finding.kind in FAILS_THE_RUN]
    if not lines:
        return ""
    more = f"\n… and {len(lines) - _LINES} more" if len(lines) > _LINES else ""
    return (
        f"{len(lines)} differences between Paystack and LeaseUp remain:\n"
        + "\n".join(lines[:_LINES])
        + more
    )
