"""A day of very many invoices: the runs that it takes, their memory, and what Dagster keeps of it.

    python -m bench.large_day 1000 100000

The first run is launched by hand; `planned_invoices_left` launches the others, in a daemon as it
is deployed. Paystack answers at once, so that the product is what is measured.
"""

import argparse
import sys
import time
from pathlib import Path

import psutil
from sqlalchemy import create_engine, make_url, text

from bench import portfolio
from leaseup_dagster.sandbox.world import World, a_world

_LEFT = "SELECT count(*) FROM leaseup_dagster.invoice_ledger WHERE state <> 'invoiced'"
_RUNS = "SELECT count(*) FROM runs WHERE pipeline_name = 'check_upcoming_invoices'"
_STEPS = """
SELECT count(*) FROM event_logs WHERE dagster_event_type = 'STEP_START' GROUP BY run_id
"""
_WORKSPACE = """\
load_from:
  - python_module:
      module_name: leaseup_dagster.definitions
      location_name: leaseup_dagster
"""
_WAIT_SECONDS = 2.0


def main(sizes: "list[int]") -> None:
    print("invoices    runs   steps   invoices/s   peak RSS   Dagster's storage per invoice")
    for invoices in sizes:
        with a_world(TASK_MAX_NEW_INVOICES="10000000") as world:
            _a_day(world, invoices)


def _a_day(world: World, invoices: int) -> None:
    customer = world.paystack.add_customer("bench@example.com")
    with world.engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        portfolio.lay_out(connection, invoices, customer.customer_code)
    workspace = world.folder / "workspace.yaml"
    workspace.write_text(_WORKSPACE)
    daemon = world.children.start(
        [str(Path(sys.executable).with_name("dagster-daemon")), "run", "-w", str(workspace)],
        world.log,
    )
    before, began = _storage_bytes(world), time.perf_counter()
    first = world.dagster(
        "job", "execute", "-m", "leaseup_dagster.definitions", "-j", "check_upcoming_invoices"
    )
    peak = 0
    while _left(world) or first.poll() is None:
        peak = max(peak, _largest_worker())
        if daemon.poll() is not None:
            raise SystemExit(world.log_tail())
        time.sleep(_WAIT_SECONDS)
    seconds = time.perf_counter() - began
    runs, steps = _runs_and_steps(world)
    grown = (_storage_bytes(world) - before) / invoices
    print(
        f"{invoices:8,} {runs:7} {steps:7} {invoices / seconds:12.1f} {peak / 2**20:7.0f} MB"
        f" {grown:12.0f} bytes",
        flush=True,
    )


def _left(world: World) -> int:
    with world.engine.connect() as connection:
        planned = connection.execute(text(_LEFT)).scalar_one()
        if planned:
            return int(planned)
        made = "SELECT count(*) = 0 FROM leaseup_dagster.invoice_ledger"
        return int(connection.execute(text(made)).scalar_one())


def _largest_worker() -> int:
    """Bytes: of all processes below this one, the largest."""
    largest = 0
    for process in psutil.Process().children(recursive=True):
        try:
            if "python" in process.name():
                largest = max(largest, process.memory_info().rss)
        except psutil.Error:
            continue
    return largest


def _storage_bytes(world: World) -> int:
    with world.engine.connect() as connection:
        return int(connection.execute(text("SELECT pg_database_size('dagster')")).scalar_one())


def _runs_and_steps(world: World) -> tuple[int, int]:
    """How many runs there were, and of how many steps the longest had."""
    url = make_url(world.engine.url).set(database="dagster")
    engine = create_engine(url)
    with engine.connect() as connection:
        runs = connection.execute(text(_RUNS)).scalar_one()
        steps = max(connection.execute(text(_STEPS)).scalars(), default=0)
    engine.dispose()
    return int(runs), int(steps)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="bench.large_day", description=__doc__)
    parser.add_argument("sizes", type=int, nargs="*", default=[1_000, 100_000])
    main(parser.parse_args().sizes)
