"""A pytest plugin that prints the table of the fault matrix after the tests."""

from collections import defaultdict
from typing import Any

COLUMNS = ("op retry", "new run", "next day")

Cells = dict[tuple[str, str], dict[str, list[str]]]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print one row for each process and failure, with a column for each recovery."""
    cells, failed = _cells(terminalreporter)
    if not cells:
        return
    total = sum(len(outcomes) for row in cells.values() for outcomes in row.values())
    terminalreporter.section(f"fault matrix: {total} cells, {failed} failed")
    width = max(len(failure) for _, failure in cells)
    head = "".join(column.ljust(10) for column in COLUMNS)
    terminalreporter.write_line(f"{'process':10}  {'what breaks':{width}}  {head}".rstrip())
    for (process, failure), row in sorted(cells.items()):
        outcomes = "".join(_summed_up(row.get(column, [])).ljust(10) for column in COLUMNS)
        terminalreporter.write_line(f"{process:10}  {failure:{width}}  {outcomes}".rstrip())


def _cells(terminalreporter: Any) -> tuple[Cells, int]:
    cells: Cells = defaultdict(lambda: defaultdict(list))
    failed = 0
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            cell = dict(getattr(report, "user_properties", [])).get("cell")
            if cell is None or (report.when != "call" and outcome == "passed"):
                continue
            process, failure, recovery = cell
            cells[process, failure][recovery].append("ok" if outcome == "passed" else "FAILED")
            failed += outcome == "failed"
    return cells, failed


def _summed_up(outcomes: list[str]) -> str:
    return "FAILED" if "FAILED" in outcomes else "ok" if outcomes else ""
