"""What a run says it did: everybody once, each reason once, and what to do."""

from leaseup_dagster.batching import MAX_STEPS
from leaseup_dagster.customers import report
from leaseup_dagster.customers.missing import RegistrationStatus
from leaseup_dagster.customers.next_batch import Waiting
from leaseup_dagster.customers.registration import Kind, Outcome
from leaseup_dagster.customers.report import CustomerReport, cut

NOTHING = CustomerReport((), (), (), 0)


def test_how_a_tenant_stands_outweighs_what_an_attempt_said() -> None:
    """The first attempt lost the answer, another run stored the code."""
    outcomes = [Outcome("a", Kind.FAILED, "no answer came"), Outcome("c", Kind.FAILED, "500")]
    statuses = [
        RegistrationStatus("a", "CUS_a", None),
        RegistrationStatus("b", None, "bad"),
        RegistrationStatus("c", None, None),
    ]

    done = CustomerReport.of(statuses, outcomes)

    assert done == CustomerReport((("a", "CUS_a"),), (("b", "bad"),), (("c", "500"),), 0)


def test_who_was_not_tried_is_left_and_has_not_failed() -> None:
    outcomes = [Outcome("a", Kind.STOPPED), Outcome("b", Kind.OVERTAKEN)]
    statuses = [RegistrationStatus(tenant_id, None, None) for tenant_id in "abc"]

    assert CustomerReport.of(statuses, outcomes).counts() == {
        "registered": 0, "refused": 0, "failed": 0, "left for the next run": 3,
    }  # fmt: skip


def test_a_reason_that_holds_for_many_is_said_once() -> None:
    failed = tuple((f"tenant-{number}", "Paystack API error 500") for number in range(40))

    said = report.in_words(CustomerReport.together([NOTHING, CustomerReport((), (), failed, 2)]))

    assert said.startswith("Tenants that got no Paystack customer: 40.")
    assert said.count("Paystack API error 500") == 1
    assert "tenant-9 and 30 more" in said


def test_however_many_tenants_there_are_the_steps_are_few() -> None:
    tenant_ids = [str(number) for number in range(1001)]

    assert [len(batch.tenant_ids) for batch in cut(tenant_ids[:25], 10)] == [10, 10, 5]
    assert len(cut(tenant_ids, 10)) <= MAX_STEPS
    assert [t for batch in cut(tenant_ids, 10) for t in batch.tenant_ids] == tenant_ids
    assert cut([], 10) == []


def test_a_run_is_told_in_one_line() -> None:
    done = CustomerReport((("a", "CUS_a"),), (("b", "bad"),), (), 0)

    assert report.summary(done, Waiting(0, 3, 0, ())) == (
        "Paystack customers: 1 registered, 1 refused."
        " Without one: 0; refused until their data change: 3."
    )
    assert "nothing to do" in report.summary(NOTHING, Waiting(0, 0, 0, ()))
