"""Settings → client, as Dagster does it."""

import dagster as dg
import pytest

from leaseup_dagster.paystack.client import PaystackClient
from leaseup_dagster.paystack.resource import PaystackResource
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from tests.paystack.conftest import KEY, FakeQuota


def test_an_op_gets_a_plain_client_that_is_closed_after_the_run(
    paystack: PaystackStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYSTACK_SECRET_KEY", KEY)
    monkeypatch.setenv("PAYSTACK_BASE_URL", paystack.url)
    customer = paystack.add_customer("thandi@example.com")
    used: list[PaystackClient] = []

    @dg.op
    def check(paystack: dg.ResourceParam[PaystackClient]) -> int:
        used.append(paystack)
        return len(list(paystack.payment_requests_of(customer.id)))

    @dg.job(resource_defs={"paystack": PaystackResource(quota=FakeQuota())})
    def checking() -> None:
        check()

    assert checking.execute_in_process().output_for_node("check") == 0
    with pytest.raises(RuntimeError, match="closed"):
        used[0].fetch_customer("CUS_1")


def test_no_field_of_the_resource_holds_a_secret() -> None:
    """Dagster's UI shows the fields of a resource in clear."""
    assert set(PaystackResource.model_fields) == {"quota"}
