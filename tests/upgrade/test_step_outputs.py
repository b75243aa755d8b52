"""What steps hand on is read across an upgrade, in both directions.

`step_outputs_0_1_0.json` holds what release 0.1.0 pickled, and the names that it knows.
"""

import base64
import dataclasses
import enum
import io
import json
import pickle
import typing
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from leaseup_dagster.batching import Place
from leaseup_dagster.customers.report import CustomerBatch, CustomerReport
from leaseup_dagster.definitions import defs
from leaseup_dagster.invoicing import keys as invoicing
from leaseup_dagster.invoicing.ledger.cancelling import CancellationTarget, Chosen
from leaseup_dagster.landlords.delivery import Kind as LandlordOutcome
from leaseup_dagster.landlords.delivery import Result
from leaseup_dagster.landlords.ops import NotificationDay
from leaseup_dagster.reconciliation.repairs import Finding
from leaseup_dagster.reconciliation.repairs import Kind as Repair
from leaseup_dagster.reconciliation.windows import Window, WindowReport
from leaseup_dagster.reminders import keys as reminders

OLDER = json.loads((Path(__file__).with_name("step_outputs_0_1_0.json")).read_text())

DAY = date(2026, 12, 1)
PLACE = Place(2, 3, 10, 25)
KEY = invoicing.LedgerKey(DAY, "lease-1")
BILLED = invoicing.InvoiceResult(
    KEY, "invoiced", 850_000, True, "invoice-1", "PRQ_1", None, "landlord-1"
)
TARGET = CancellationTarget("invoice-1", KEY, "PRQ_1", "asked by the tenant", 850_000)
FOUND = Finding(Repair.ADOPTED, "leaseup-1", "PRQ_1", KEY, 850_000, "why")
OVERDUE = reminders.OverdueInvoice(
    "invoice-1", "tenant-1", DAY, reminders.LastText(2, DAY), "lease-1", "landlord-1", 850_000
)
NOTIFIED = Result("landlord-1", LandlordOutcome.CLAIMED_ELSEWHERE, "why")

VALUES: dict[str, Any] = {
    "plan": invoicing.InvoicePlan(
        DAY, 9, 2, 1, 1_700_000, ("lease-2",), 1,
        (invoicing.Skipped("lease_ends_first", 1, (KEY,), ("note",)),), KEY,
    ),
    "comparison": invoicing.Compared(3, "no answer", True, "run-1"),
    "invoice batch": invoicing.InvoiceBatch(DAY, PLACE, (KEY,), invoicing.Compared(1)),
    "billed": invoicing.BatchReport((BILLED,), frozenset({KEY})),
    "chosen": Chosen((TARGET,), (TARGET,), (("invoice-2", "paid"),), True, True, ("note",)),
    "customer batch": CustomerBatch(PLACE, ("tenant-1",)),
    "customers": CustomerReport(
        (("tenant-1", "CUS_1"),), (("tenant-2", "no"),), (("tenant-3", "why"),), 4
    ),
    "landlords' day": NotificationDay(DAY, True, True, (NOTIFIED,)),
    "landlords": [NOTIFIED, *(Result("landlord-1", kind) for kind in LandlordOutcome)],
    "window": Window((DAY,)),
    "window's report": WindowReport(1, 2, 3, (FOUND,), ((DAY, "why"),), (DAY,)),
    "findings": [Finding(kind, "leaseup-1", "PRQ_1") for kind in Repair],
    "reminders' day": reminders.ReminderDay(DAY, 3, True, 20),
    "late": reminders.LateInvoices(
        DAY, 5, 1, 1, (("invoice-1",),), 2, 3, 850_000, (OVERDUE,)
    ),
    "reminder batch": reminders.ReminderBatch(DAY, PLACE, ("invoice-1",), True),
    "texted": reminders.BatchReport(
        tuple(
            reminders.ReminderResult(
                "invoice-1", ("tenant-1",), kind, "why", 2, "+27 *** 4567", 850_000, "SM1", "30003"
            )
            for kind in reminders.Kind
        )
    ),
    "earlier texts": reminders.SettledTexts(1, 2, 3),
}  # fmt: skip


@pytest.mark.parametrize("name", OLDER["pickles"])
def test_what_the_older_release_kept_is_read(name: str) -> None:
    assert pickle.loads(base64.b64decode(OLDER["pickles"][name])) == VALUES[name]


class _Names(pickle.Unpickler):
    """Which classes a pickle asks for."""

    def __init__(self, pickled: bytes) -> None:
        super().__init__(io.BytesIO(pickled))
        self.asked_for: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        self.asked_for.add(f"{module}.{name}")
        return super().find_class(module, name)


@pytest.mark.parametrize("name", VALUES)
def test_what_is_kept_now_is_read_by_the_older_release(name: str) -> None:
    """It finds every class, by its name of then; pickle compares the fields by itself."""
    names = _Names(pickle.dumps(VALUES[name]))

    assert names.load() == VALUES[name]
    assert names.asked_for <= set(OLDER["knows"])


def handed_on(kind: Any, found: set[type]) -> None:
    """Add what `kind` is made of to `found`."""
    for part in typing.get_args(kind):
        handed_on(part, found)
    if not isinstance(kind, type) or kind in found:
        return
    if issubclass(kind, enum.Enum):
        found.add(kind)
    elif dataclasses.is_dataclass(kind):
        found.add(kind)
        for part in typing.get_type_hints(kind).values():
            handed_on(part, found)


def test_every_class_that_a_step_hands_on_is_among_them() -> None:
    found: set[type] = set()
    for job in defs.get_repository_def().get_all_jobs():
        for node in job.all_node_defs:
            for output in getattr(node, "output_defs", ()):
                handed_on(output.dagster_type.typing_type, found)

    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in found}
    known = {name for name in OLDER["knows"] if name.startswith("leaseup_dagster")}
    assert {name for name in names if name.startswith("leaseup_dagster")} == known
