"""What is missing, what is settled and what is in doubt, for each way a payment gets recorded."""

from typing import Any

import pytest

from leaseup_dagster.invoicing.payments.receipts import (
    Comparison,
    Decided,
    Decision,
    Doubt,
    Recorded,
    Sums,
    compare,
)
from leaseup_dagster.paystack.models import PaymentRequest

RENT = 850_000


def request(*paid: int, **values: Any) -> PaymentRequest:
    """Paid so many cents at a time, under Paystack's references T1, T2 …"""
    made = [
        {"reference": f"T{n}", "amount": cents, "status": "success"}
        for n, cents in enumerate(paid, 1)
    ]
    fields = {
        "id": 31, "request_code": "PRQ_1", "amount": RENT, "offline_reference": "42862631",
        "paid": sum(paid) >= RENT, "transactions": made,
    }  # fmt: skip
    return PaymentRequest.model_validate(fields | values)


def rows(*recorded: tuple[str, int]) -> list[Recorded]:
    return [Recorded(f"row{n}", *row) for n, row in enumerate(recorded, 1)]


def compared_with(
    request: PaymentRequest, *recorded: tuple[str, int], status: str = "PENDING", due: int = RENT
) -> Comparison:
    return compare(request, status, due, rows(*recorded))


def written(compared: Comparison) -> list[tuple[str, int]]:
    return [(payment.reference, payment.amount_cents) for payment in compared.missing]


@pytest.mark.parametrize(
    ("paid", "recorded", "missing"),
    [
        pytest.param([RENT], [], [("T1", RENT)], id="the webhook was lost"),
        pytest.param([RENT], [("42862631", RENT)], [], id="the webhook, offline reference"),
        pytest.param([RENT], [("PRQ_1", RENT)], [], id="the webhook, request code"),
        pytest.param([RENT], [("T1", RENT)], [], id="we did before"),
        pytest.param([300_000], [], [("T1", 300_000)], id="a part, the webhook was lost"),
        pytest.param([300_000], [("42862631", 300_000)], [], id="a part, by the webhook"),
        pytest.param(
            [300_000, 550_000],
            [("42862631", 300_000)],
            [("T2", 550_000)],
            id="of two parts the webhook lost the second",
        ),
        pytest.param(
            [300_000, 550_000],
            [("42862631", 550_000)],
            [("T1", 300_000)],
            id="of two parts the webhook lost the first",
        ),
        pytest.param(
            [300_000, 550_000],
            [("42862631", RENT)],
            [],
            id="two parts, the webhook wrote them as one",
        ),
        pytest.param(
            [300_000, 550_000],
            [("T1", 300_000), ("42862631", 550_000)],
            [],
            id="one by us, one by the webhook",
        ),
        pytest.param(
            [425_000, 425_000],
            [("42862631", 425_000)],
            [("T2", 425_000)],
            id="two equal parts, one recorded",
        ),
        pytest.param(
            [300_000, 550_000],
            [("42862631", 700_000)],
            [("T1", 150_000)],
            id="never more than is missing in all",
        ),
    ],
)
def test_only_what_is_missing_is_written_down(
    paid: list[int], recorded: list[tuple[str, int]], missing: list[tuple[str, int]]
) -> None:
    compared = compared_with(request(*paid), *recorded)

    assert written(compared) == missing
    assert compared.settled is (sum(paid) == RENT)
    assert compared.question is None


@pytest.mark.parametrize("reference", ["", "EFT 17"], ids=["without reference", "with its own"])
def test_money_by_hand_adds_to_what_paystack_received(reference: str) -> None:
    compared = compared_with(request(300_000, archived=True), (reference, 550_000))

    assert written(compared) == [("T1", 300_000)]
    assert (compared.settled, compared.question) == (True, None)


def test_the_webhooks_second_row_for_one_payment_is_named() -> None:
    compared = compared_with(request(RENT), ("42862631", RENT), ("42862631", RENT))

    assert compared.question.doubt is Doubt.RECORDED_TWICE
    assert compared.question.rows == ("row2",)
    assert (compared.missing, compared.settled) == ((), True)


def test_a_row_of_the_webhooks_beside_ours_is_the_one_too_many() -> None:
    compared = compared_with(request(RENT), ("42862631", RENT), ("T1", RENT), status="PAID")

    assert compared.question.rows == ("row1",)


def test_money_given_back_at_paystack_leaves_its_row_too_many() -> None:
    refunded = [{"reference": "T1", "amount": RENT, "status": "reversed"}]

    compared = compared_with(request(transactions=refunded, paid=True), ("T1", RENT), status="PAID")

    assert compared.question.doubt is Doubt.RECORDED_TWICE
    assert compared.question.rows == ("row1",)


@pytest.mark.parametrize("status", ["PAID", "OVERDUE"])
def test_marked_as_paid_by_hand_and_paid_at_paystack_is_for_a_person(status: str) -> None:
    compared = compared_with(request(RENT), ("", RENT), status=status)

    assert compared.question.doubt is Doubt.PAID_OTHERWISE
    assert (compared.missing, compared.settled) == ((), True)


def test_paid_without_a_row_is_written_down() -> None:
    assert written(compared_with(request(RENT), status="PAID")) == [("T1", RENT)]


def test_more_than_was_billed_is_written_down_and_named() -> None:
    compared = compared_with(request(RENT), ("", 300_000))

    assert written(compared) == [("T1", RENT)]
    assert compared.question.doubt is Doubt.TOO_MUCH
    assert compared.question.sums == Sums(received=RENT, recorded=0, otherwise=300_000)


def test_more_than_was_billed_on_the_request_alone_is_named_too() -> None:
    compared = compared_with(request(300_000, RENT))

    assert written(compared) == [("T1", 300_000), ("T2", RENT)]
    assert compared.question.doubt is Doubt.TOO_MUCH


@pytest.mark.parametrize("status", ["CANCELLED", "DRAFT", "OF_A_LATER_LEASEUP"])
def test_money_on_an_invoice_that_is_not_to_be_paid_is_not_written_down(status: str) -> None:
    compared = compared_with(request(RENT), status=status)

    assert (compared.missing, compared.question.doubt) == ((), Doubt.CANCELLED)


@pytest.mark.parametrize(("archived", "asked"), [(False, True), (True, False)])
def test_what_is_settled_must_not_stay_payable(archived: bool, asked: bool) -> None:
    compared = compared_with(request(300_000, archived=archived), ("", 550_000))

    assert compared.settled
    assert (compared.question is not None) is asked


def test_an_unreadable_amount_is_settled_by_paystacks_word_alone() -> None:
    assert compare(request(RENT), "PENDING", None, []).settled
    assert not compare(request(300_000), "PENDING", None, rows(("", RENT))).settled


MANUAL = rows(("", RENT))
SUMS = Sums(received=RENT, recorded=0, otherwise=RENT)


def test_a_decision_to_leave_it_is_asked_no_more_until_the_sums_change() -> None:
    left = Decided(Decision.LEAVE, SUMS)

    assert compare(request(RENT), "PAID", RENT, MANUAL, left) == Comparison(settled=True)
    more = [*MANUAL, Recorded("row2", "", 1)]
    assert compare(request(RENT), "PAID", RENT, more, left).question is not None


def test_a_decision_to_record_it_writes_it_down_once() -> None:
    record = Decided(Decision.RECORD, SUMS)

    first = compare(request(RENT), "PAID", RENT, MANUAL, record)
    then = compare(request(RENT), "PAID", RENT, [*MANUAL, Recorded("row2", "T1", RENT)], record)

    assert (written(first), first.question) == ([("T1", RENT)], None)
    assert (written(then), then.question) == ([], None)
    # LeaseUp's webhook was late, and wrote the same money once more.
    too_many = [*MANUAL, Recorded("row2", "T1", RENT), Recorded("row3", "42862631", RENT)]
    asked = compare(request(RENT), "PARTIALLY_PAID", RENT, too_many, record).question
    assert asked is not None
    assert (asked.doubt, asked.rows) == (Doubt.RECORDED_TWICE, ("row3",))
