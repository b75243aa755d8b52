"""Arrears of a million invoices, compared with a bare scan of the two tables.

The scan sums the amounts of `invoice` and `transaction` without joining them. Also measured: the
export of all invoices, and the memory it takes.
"""

import io
import resource
from collections.abc import Callable, Iterator
from datetime import date

from sqlalchemy import Connection, Engine, text

from bench import portfolio
from bench.figures import Figure, at_most, show, timed
from leaseup_dagster.arrears import summary
from leaseup_dagster.exports import rows, stream

AS_OF = date(2026, 11, 24)
LEASES, MONTHS = 100_000, 10
ALL_DAYS = date(2000, 1, 1), date(2100, 1, 1)
ROUNDS = 3
_BACKDATE = (
    """UPDATE invoice SET "createdAt" = "dueDate" - 30""",
    """UPDATE transaction SET "createdAt" = '2026-01-01'""",
)
_SCAN = (
    text("SELECT sum(\"dueAmount\"::numeric) FROM invoice WHERE status <> 'CANCELLED'"),
    text('SELECT sum("amountPaid"::numeric) FROM transaction'),
)

_JOIN = text(
    """
    SELECT "landlordId", sum("dueAmount" - coalesce(paid, 0)) FROM invoice
    LEFT JOIN (SELECT "invoiceId", sum("amountPaid") AS paid FROM transaction GROUP BY 1) AS paid
      ON paid."invoiceId" = invoice.id
    GROUP BY 1
    """
)


def figures() -> Iterator[Figure]:
    """Run this benchmark; each figure as soon as it is measured."""
    with portfolio.a_database(LEASES) as engine:
        with engine.begin() as connection:
            portfolio.lay_out_history(connection, LEASES, MONTHS, AS_OF)
            for statement in _BACKDATE:
                connection.exec_driver_sql(statement)
        with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
        with engine.connect() as connection:
            invoices = connection.execute(text("SELECT count(*) FROM invoice")).scalar_one()
            scan = _best(lambda: _scan(connection))
            join = _best(lambda: connection.execute(_JOIN))
            whole = _best(lambda: summary.arrears(connection, AS_OF, 100))
        what = (
            f"arrears of {invoices:,} invoices ({whole:.2f} s), beside a bare scan ({scan:.2f} s)"
        )
        yield at_most(what, whole / scan, 1.5)
        yield Figure("beside a bare join of the two, summed by landlord", f"{whole / join:.2f}")
        seconds = timed(lambda: _export(engine))
        yield Figure(f"list {invoices:,} invoices", f"{seconds:.1f} s")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield at_most("Python process meanwhile", memory, 250, " MB")


class _Discard(io.StringIO):
    """A file that keeps nothing."""

    def write(self, text: str) -> int:
        return len(text)


def _export(engine: Engine) -> None:
    stream.export(
        engine, "invoices", rows.INVOICES, rows.invoice_rows(*ALL_DAYS, ""),
        landlord="", as_json=False, to=_Discard(),
    )  # fmt: skip


def _best(act: Callable[[], object]) -> float:
    """Seconds of the fastest round."""
    return min(timed(act) for _ in range(ROUNDS))


def _scan(connection: Connection) -> None:
    for statement in _SCAN:
        connection.execute(statement)


if __name__ == "__main__":
    show(figures())
