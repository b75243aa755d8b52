"""What is due on an invoice, with each payment counted once, whoever wrote it down."""

from datetime import date

import pytest
from sqlalchemy import Connection, select

from leaseup_dagster.database.leaseup import invoice
from leaseup_dagster.invoicing.payments import amounts
from leaseup_dagster.sandbox.builders import a_lease, a_transaction, an_invoice

CODE, OFFLINE = "PRQ_abc", "42862631"
MORNING, EVENING = "2026-11-03 08:00:00", "2026-11-04 18:00:00"


def webhook(rands: float, reference: str = OFFLINE, at: str = MORNING) -> dict:
    return {"rands": rands, "referenceId": reference, "createdAt": at}


def ours(rands: float, reference: str) -> dict:
    return {"rands": rands, "referenceId": reference, "method": "PAYSTACK"}


def by_hand(rands: float, reference: str | None = None) -> dict:
    return {"rands": rands, "referenceId": reference}


@pytest.mark.parametrize(
    ("rows", "due"),
    [
        pytest.param([], 850_000, id="nothing paid"),
        pytest.param([webhook(3000)], 550_000, id="the webhook, by the offline reference"),
        pytest.param([webhook(3000, CODE)], 550_000, id="the webhook, by the request's code"),
        pytest.param([webhook(3000)] * 2, 550_000, id="the webhook twice for one payment"),
        pytest.param(
            [webhook(3000), webhook(3000, at=EVENING)], 250_000, id="two payments, one amount"
        ),
        pytest.param([ours(3000, "T1")], 550_000, id="ours"),
        pytest.param([ours(3000, "T1"), ours(3000, "T2")], 250_000, id="two of ours"),
        pytest.param([ours(3000, "T1"), webhook(3000)], 550_000, id="both wrote it down"),
        pytest.param(
            [ours(3000, "T1"), webhook(3000), webhook(3000)], 550_000, id="both, one of them twice"
        ),
        pytest.param([ours(3000, "T1"), webhook(2000)], 350_000, id="each saw another payment"),
        pytest.param([by_hand(3000), by_hand(3000)], 250_000, id="manually, as it stands"),
        pytest.param([by_hand(3000), ours(3000, "T1")], 250_000, id="manually is other money"),
        pytest.param([by_hand(3000, "EFT 17")], 550_000, id="manually with a reference of its own"),
        pytest.param([ours(8500, CODE), webhook(8500)], None, id="marked as paid at Paystack"),
        pytest.param([webhook(9000)], None, id="more than was billed"),
    ],
)
def test_a_payment_counts_once(connection: Connection, rows: list[dict], due: int | None) -> None:
    lease = a_lease(connection, start=date(2026, 1, 1))
    made = an_invoice(
        connection, lease, date(2026, 11, 1), paystackId=CODE, offlineReference=OFFLINE
    )
    other = an_invoice(connection, lease, date(2026, 10, 1))
    a_transaction(connection, other, 100.0)
    for row in rows:
        a_transaction(connection, made, **row)

    found = connection.execute(
        select(amounts.due(select(invoice).where(invoice.c.id == made).cte("some")).c.cents)
    ).scalar()

    assert found == due
