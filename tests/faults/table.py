"""The table of the fault matrix, printed when the tests have run: `pytest_plugins` loads it."""

from collections import defaultdict
from typing import Any

COLUMNS = ("op retry", "new run", "next day")

Cells = dict[tuple[str, str], dict[str, list[str]]]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    cells, failed = _cells(terminalreporter)
    if not cells:
        return
    total = sum(len(outcomes) for row in cells.values() for outcomes in row.values())
    terminalreporter.section(f"fault matrix: {total} cells, {failed} failed")
    width = max(len(broken) for _, broken in cells)
    head = "".join(column.ljust(10) for column in COLUMNS)
    terminalreporter.write_line(f"{'process':10}  {'what breaks':{width}}  {head}".rstrip())
    for (process, broken), row in sorted(cells.items()):
        shown = "".join(_shown(row.get(column, [])).ljust(10) for column in COLUMNS)
        terminalreporter.write_line(f"{process:10}  {broken:{width}}  {shown}".rstrip())


def _cells(terminalreporter: Any) -> tuple[Cells, int]:
    cells: Cells = defaultdict(lambda: defaultdict(list))
    failed = 0
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            named = dict(getattr(report, "user_properties", [])).get("cell")
            if named is None or (report.when != "call" and outcome == "passed"):
                continue
            process, broken, recovery = named
            cells[process, broken][recovery].append("ok" if outcome == "passed" else "FAILED")
            failed += outcome == "failed"
    return cells, failed


def _shown(outcomes: list[str]) -> str:
    return "FAILED" if "FAILED" in outcomes else "ok" if outcomes else ""
