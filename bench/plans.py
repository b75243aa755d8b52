"""Query plans of the largest statements, and what indexes on LeaseUp's tables would save.

Each query runs twice on a million leases with three months of history: on LeaseUp's schema as it
is, and with the indexes of OFFERED. The statements are the product's own, explained as they are
sent. Writes docs/query-plans.md.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event, text

from bench import portfolio
from bench.figures import Figure, show
from bench.planning import AS_OF
from bench.planning import plan as measured_plan
from leaseup_dagster.explanation import facts
from leaseup_dagster.invoicing.ledger import queries
from leaseup_dagster.invoicing.planning import planner
from leaseup_dagster.reminders.overdue import queries as overdue
from leaseup_dagster.reminders.overdue import selection
from leaseup_dagster.reminders.rules.policy import ReminderPolicy
from leaseup_dagster.settings import TaskSettings

LEASES, MONTHS = 1_000_000, 3
PATH = Path(__file__).parents[1] / "docs" / "query-plans.md"

OFFERED = """
CREATE INDEX CONCURRENTLY ON tenant_lease ("leaseId");
CREATE INDEX CONCURRENTLY ON invoice ("leaseId");
CREATE INDEX CONCURRENTLY ON invoice ("dueDate") WHERE status IN ('PENDING', 'OVERDUE');
CREATE INDEX CONCURRENTLY ON transaction ("invoiceId");
CREATE INDEX CONCURRENTLY ON recurring_billable ("leaseId");
"""

LINE = 160
_LIST = re.compile(r"'\{[^}]{60,}\}'")
_EXPLAIN = "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, BUFFERS OFF) "
_EXPLAINED = re.compile(r"\s*(WITH|SELECT|UPDATE|INSERT)\b(?!.*pg_advisory)", re.DOTALL)
_MILLISECONDS = re.compile(r"Execution Time: ([\d.]+) ms")

_HEAD = """\
# What PostgreSQL does

Written by `python -m bench plans`: {leases:,} leases with {months} months of invoices and payments
behind them, on PostgreSQL {version}. Of each question the statement that takes longest.

"""
_OFFER = """\
## An offer to LeaseUp

LeaseUp's tables have no index but their keys. Nothing here needs one: what is asked of the whole
portfolio reads it once whatever there is, and what is asked of a few rows reads a table at most.
These would spare that, and LeaseUp's own pages the same:

```sql
{offered}
```

| question | as it is | with them |
| --- | --- | --- |
{rows}

"""


class Explained:
    """The statements of one query of the product, each explained before it is sent."""

    def __init__(self, engine: Engine, ask: Callable[[Connection], object]) -> None:
        self.plans: list[tuple[float, str]] = []
        event.listen(engine, "before_cursor_execute", self._explain)
        with engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            ask(connection)
        event.remove(engine, "before_cursor_execute", self._explain)

    @property
    def seconds(self) -> float:
        """Execution time of all statements together."""
        return sum(seconds for seconds, _ in self.plans)

    @property
    def longest(self) -> str:
        """The plan of the slowest statement."""
        return max(self.plans)[1]

    def _explain(
        self, _: object, cursor: Any, statement: str, parameters: Mapping[str, Any], *__: object
    ) -> None:
        if not _EXPLAINED.match(statement):
            return
        with cursor.connection.cursor() as explaining:
            # EXPLAIN ANALYZE executes the statement: undo that, as the statement itself follows.
            explaining.execute("SAVEPOINT explained")
            explaining.execute(_EXPLAIN + statement, parameters)
            plan = "\n".join(row[0] for row in explaining.fetchall())
            explaining.execute("ROLLBACK TO SAVEPOINT explained")
        found = _MILLISECONDS.search(plan)
        assert found is not None
        self.plans.append((float(found[1]) / 1000, plan))


def figures() -> Iterator[Figure]:
    """Run this benchmark; each figure as soon as it is measured."""
    with portfolio.a_database(LEASES) as engine:
        with engine.begin() as connection:
            portfolio.lay_out_history(connection, LEASES, MONTHS, AS_OF)
        plan = Explained(engine, lambda _: measured_plan(engine)).longest
        _vacuum(engine)
        questions = _questions(engine)
        before = {question: Explained(engine, ask) for question, ask in questions.items()}
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for statement in filter(str.strip, OFFERED.split(";")):
                connection.exec_driver_sql(statement)
        _vacuum(engine)
        after = {question: Explained(engine, ask) for question, ask in questions.items()}
        with engine.connect() as connection:
            version = connection.exec_driver_sql("SHOW server_version").scalar_one()
    for question in questions:
        measured = f"{before[question].seconds:.3f} s and {after[question].seconds:.3f} s"
        yield Figure(f"{question}: as it is, and with the indexes offered", measured)
    head = _HEAD.format(leases=LEASES, months=MONTHS, version=version)
    PATH.write_text(head + _offer(before, after) + _plans(plan, before, after))


def _questions(engine: Engine) -> dict[str, Callable[[Connection], object]]:
    tasks = TaskSettings()
    with engine.connect() as connection:
        keys = queries.open_keys(connection, 2_000)
        late = text("SELECT id FROM invoice WHERE status = 'PENDING' ORDER BY id LIMIT 10")
        invoices = list(connection.execute(late).scalars())
    policy = ReminderPolicy(3, 7, 4)

    def one_month(connection: Connection) -> None:
        planner.plan_one(connection, keys[0], AS_OF, tasks, rebill=False)

    return {
        "one month of one lease (create_invoice)": one_month,
        "check ten planned months again before they are sent": lambda connection: (
            planner.plan_again(connection, keys[:10], AS_OF, tasks)
        ),
        "check 2,000 again": lambda connection: planner.plan_again(connection, keys, AS_OF, tasks),
        "preview what a morning would bill": lambda connection: planner.evaluate(
            connection, AS_OF, tasks, limit=100
        ),
        "all about one lease (explain_lease)": lambda connection: facts.gather(
            connection, keys[0].lease_id
        ),
        "mark what is overdue": lambda connection: overdue.mark_overdue(connection, AS_OF),
        "find whom to remind": lambda connection: selection.find(connection, policy, AS_OF),
        "what ten reminders need": lambda connection: overdue.reminders(
            connection, invoices, AS_OF, policy.after_days
        ),
    }


def _vacuum(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET statement_timeout = 0")
        connection.exec_driver_sql("VACUUM ANALYZE")
        connection.exec_driver_sql("RESET statement_timeout")


def _offer(before: Mapping[str, Explained], after: Mapping[str, Explained]) -> str:
    rows = "\n".join(
        f"| {question} | {before[question].seconds:.3f} s | {after[question].seconds:.3f} s |"
        for question in before
    )
    return _OFFER.format(offered=OFFERED.strip(), rows=rows)


def _plans(plan: str, before: Mapping[str, Explained], after: Mapping[str, Explained]) -> str:
    parts = [_section("The morning's plan, all new, one of two shards", plan)]
    for question in before:
        title = question[0].upper() + question[1:]
        parts.append(_section(f"{title}, as it is", before[question].longest))
        parts.append(_section(f"{title}, with the indexes", after[question].longest))
    return "\n".join(parts)


def _section(title: str, plan: str) -> str:
    readable = "\n".join(_shortened(line) for line in plan.splitlines())
    return f"## {title}\n\n```\n{readable}\n```\n"


def _shortened(line: str) -> str:
    line = _LIST.sub("'{…}'", line)
    return line if len(line) <= LINE else f"{line[: LINE - 2]} …"


if __name__ == "__main__":
    show(figures())
