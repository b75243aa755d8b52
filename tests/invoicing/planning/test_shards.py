"""A large portfolio is planned in parts, as one whole would be."""

from collections.abc import Callable
from datetime import date
from itertools import pairwise

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from leaseup_dagster.invoicing.keys import InvoicePlan, LedgerKey
from leaseup_dagster.invoicing.planning import planner
from leaseup_dagster.invoicing.planning.shards import WHOLE, shards
from leaseup_dagster.settings import TaskSettings

TODAY = date(2026, 11, 24)
LEDGER = "SELECT * FROM leaseup_dagster.invoice_ledger ORDER BY lease_id, due_date"


@pytest.fixture
def portfolio(due_lease: Callable[..., LedgerKey]) -> list[LedgerKey]:
    """Twelve to bill, and some to skip for one reason or another."""
    keys = [due_lease() for _ in range(12)]
    for values in ({"unit": None}, {"unit": None}, {"rent": 0.1}, {"status": "INACTIVE"}):
        due_lease(**values)
    return keys


def ledger(connection: Connection) -> list[dict[str, object]]:
    rows = connection.execute(text(LEDGER)).mappings()
    changing = ("planned_at", "updated_at")
    return [{k: v for k, v in row.items() if k not in changing} for row in rows]


def plan_in_shards(engine: Engine, large: int = 0) -> InvoicePlan:
    with planner.planned(engine, TODAY, TaskSettings(), large=large) as plan:
        return plan


def test_a_small_portfolio_is_planned_as_a_whole(
    connection: Connection, portfolio: list[LedgerKey]
) -> None:
    assert shards(connection) == [WHOLE]


def test_every_id_there_may_be_is_in_one_shard(
    connection: Connection, portfolio: list[LedgerKey]
) -> None:
    for parts in (2, 3, 5):
        cut = shards(connection, parts, large=0)

        assert len(cut) == parts
        assert cut[0].first is None
        assert cut[-1].beyond is None
        assert all(left.beyond == right.first for left, right in pairwise(cut))
        assert all(left.beyond is not None for left in cut[:-1])


def test_shards_plan_what_one_statement_would(
    engine: Engine, connection: Connection, portfolio: list[LedgerKey]
) -> None:
    seen = planner.preview(engine, TODAY, TaskSettings(), limit=5)
    in_shards = planner.preview(engine, TODAY, TaskSettings(), limit=5, large=0)

    together = plan_in_shards(engine)

    assert together == seen.plan
    assert in_shards == seen
    assert (len(seen.bill), len(seen.skip)) == (5, 4)
    assert together.to_bill == 12
    assert {row["lease_id"] for row in ledger(connection)} == {key.lease_id for key in portfolio}


def test_planning_again_changes_nothing(
    engine: Engine, connection: Connection, portfolio: list[LedgerKey]
) -> None:
    plan_in_shards(engine)
    before = ledger(connection)

    again = plan_in_shards(engine)

    assert again.new == 0
    assert ledger(connection) == before


def test_left_by_an_exception_no_shard_is_kept(
    engine: Engine, connection: Connection, portfolio: list[LedgerKey]
) -> None:
    def slow_down() -> None:
        with planner.planned(engine, TODAY, TaskSettings(), large=0) as plan:
            assert plan.new == 12
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        slow_down()

    assert ledger(connection) == []


def test_when_one_shard_fails_none_is_kept(
    engine: Engine, connection: Connection, portfolio: list[LedgerKey]
) -> None:
    last = max(key.lease_id.encode() for key in portfolio).decode()
    connection.exec_driver_sql(
        "ALTER TABLE leaseup_dagster.invoice_ledger ADD CONSTRAINT unlucky"
        f" CHECK (lease_id <> '{last}')"
    )

    with pytest.raises(DBAPIError):
        plan_in_shards(engine)

    assert ledger(connection) == []
