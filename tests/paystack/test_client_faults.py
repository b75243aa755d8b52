"""What the client knows after something went wrong, and what it tells."""

import logging
import traceback
from collections.abc import Callable

import pytest

from leaseup_dagster.paystack.client import CREATE, PaystackClient
from leaseup_dagster.paystack.errors import (
    KeyRejected,
    NotFound,
    NotProcessed,
    OutcomeUnknown,
    PaystackError,
    Refused,
)
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from tests.paystack.conftest import FakeQuota, NewClient, Rent, create

LOST = [
    ("drop before accepting", Fault.drop_before_accepting, OutcomeUnknown, 0),
    ("reset before accepting", lambda: Fault.drop_before_accepting(reset=True), OutcomeUnknown, 0),
    ("drop after accepting", Fault.drop_after_accepting, OutcomeUnknown, 1),
    ("reset after accepting", lambda: Fault.drop_after_accepting(reset=True), OutcomeUnknown, 1),
    ("cut within the answer", Fault.cut_within_the_answer, OutcomeUnknown, 1),
    ("200 with status false", Fault.status_false, OutcomeUnknown, 1),
    ("200 with status success", lambda: Fault.envelope(status="success"), OutcomeUnknown, 1),
    ("200 with a list", lambda: Fault.envelope(data=[]), OutcomeUnknown, 1),
    ("200 without data", lambda: Fault.envelope(data=None), OutcomeUnknown, 1),
    ("200 with HTML", Fault.success_in_html, OutcomeUnknown, 1),
    ("truncated JSON", Fault.truncated, OutcomeUnknown, 1),
    ("no request_code", lambda: Fault.without("request_code"), OutcomeUnknown, 1),
    ("empty request_code", lambda: Fault.with_fields(request_code=""), OutcomeUnknown, 1),
    ("408", lambda: Fault.status(408), OutcomeUnknown, 0),
    ("429", Fault.rate_limit, NotProcessed, 0),
    ("400", lambda: Fault.status(400), Refused, 0),
    ("401", lambda: Fault.status(401), KeyRejected, 0),
    ("403", lambda: Fault.status(403), Refused, 0),
    ("403 in HTML", lambda: Fault.status(403, html=True), OutcomeUnknown, 0),
    ("404", lambda: Fault.status(404), NotFound, 0),
    ("404 in HTML", lambda: Fault.status(404, html=True), OutcomeUnknown, 0),
    ("422", lambda: Fault.status(422), Refused, 0),
    ("redirect", lambda: Fault.redirect("http://127.0.0.1:9/"), OutcomeUnknown, 0),
] + [
    (
        f"{status} {'after' if accepted else 'before'} accepting{' in HTML' if html else ''}",
        lambda s=status, a=accepted, h=html: Fault.status(s, accepted=a, html=h),
        OutcomeUnknown,
        int(accepted),
    )
    for status in (500, 502, 503, 504)
    for accepted in (False, True)
    for html in (False, True)
]


class TestWhatIsKnownAfterAFault:
    @pytest.mark.parametrize(
        ("fault", "error", "made"), [row[1:] for row in LOST], ids=[row[0] for row in LOST]
    )
    def test_the_class_says_it_and_nothing_is_sent_again(
        self,
        client: PaystackClient,
        paystack: PaystackStandIn,
        rent: Rent,
        fault: Callable[[], Fault],
        error: type[PaystackError],
        made: int,
    ) -> None:
        paystack.faults.on_create(fault())

        with pytest.raises(PaystackError) as caught:
            create(client, rent("LU-7"))

        assert type(caught.value) is error
        assert len(paystack.live_requests_for("LU-7")) == made
        assert len(paystack.requests) == 1

    @pytest.mark.parametrize("fault", [Fault.hang_before_accepting, Fault.hang_after_accepting])
    def test_silence_past_the_time_out_leaves_the_outcome_unknown(
        self,
        new_client: NewClient,
        paystack: PaystackStandIn,
        rent: Rent,
        fault: Callable[[], Fault],
    ) -> None:
        paystack.faults.on_create(fault())

        with pytest.raises(OutcomeUnknown, match="ReadTimeout"):
            create(new_client(timeout_seconds=0.1), rent())

    def test_a_paystack_that_is_not_there_has_processed_nothing(
        self, client: PaystackClient, paystack: PaystackStandIn, rent: Rent
    ) -> None:
        paystack.stop()

        with pytest.raises(NotProcessed, match=r"could not connect \(ConnectError\)"):
            create(client, rent())

    def test_a_peer_that_does_not_speak_tls_has_processed_nothing(
        self, new_client: NewClient, paystack: PaystackStandIn, rent: Rent
    ) -> None:
        client = new_client(base_url=paystack.url.replace("http:", "https:"))

        with pytest.raises(NotProcessed, match=r"could not connect \(ConnectError\)"):
            create(client, rent())

    def test_after_a_lost_connection_the_next_call_works(
        self, client: PaystackClient, paystack: PaystackStandIn, rent: Rent
    ) -> None:
        paystack.faults.on_create(Fault.drop_after_accepting())
        with pytest.raises(OutcomeUnknown):
            create(client, rent("LU-7"))

        found = [r for r in client.payment_requests_of(rent().customer) if r.mentions("LU-7")]

        assert [r.id for r in found] == [paystack.payment_requests[0].id]

    def test_the_error_has_paystack_s_status_code_and_words(
        self, client: PaystackClient, paystack: PaystackStandIn, rent: Rent
    ) -> None:
        with pytest.raises(Refused) as caught:
            create(client, rent(customer="CUS_nobody"))

        error = caught.value
        assert (error.status, error.code, error.message) == (
            400,
            "invalid_params",
            "Customer not found",
        )

    @pytest.mark.parametrize(
        "fault",
        [lambda: Fault.redirect("http://127.0.0.1:9/"), lambda: Fault.status(404, html=True)],
    )
    def test_an_answer_from_elsewhere_points_at_the_setting(
        self,
        client: PaystackClient,
        paystack: PaystackStandIn,
        rent: Rent,
        fault: Callable[[], Fault],
    ) -> None:
        paystack.faults.on_create(fault())

        with pytest.raises(OutcomeUnknown, match="PAYSTACK_BASE_URL"):
            create(client, rent())


class TestARateLimit:
    def test_the_whole_endpoint_is_paused_for_as_long_as_paystack_says(
        self, client: PaystackClient, paystack: PaystackStandIn, quota: FakeQuota, rent: Rent
    ) -> None:
        paystack.faults.on_create(Fault.rate_limit(x_ratelimit_reset="30"))

        with pytest.raises(NotProcessed) as caught:
            create(client, rent())

        assert caught.value.retry_after_seconds == 30
        assert quota.paused == [(CREATE, 30)]

    def test_the_limit_is_learned_from_a_refusal(
        self, client: PaystackClient, paystack: PaystackStandIn, quota: FakeQuota, rent: Rent
    ) -> None:
        paystack.habits.rate_limit = 1
        create(client, rent())

        with pytest.raises(NotProcessed):
            create(client, rent())

        assert quota.learned == [(CREATE, 1)]

    def test_the_limit_is_learned_from_an_answer_that_tells_it(
        self, client: PaystackClient, paystack: PaystackStandIn, quota: FakeQuota, rent: Rent
    ) -> None:
        paystack.habits.rate_limit, paystack.habits.reports_limit = 300, True

        create(client, rent())

        assert quota.learned == [(CREATE, 300)]

    def test_another_endpoint_is_not_paused(
        self, client: PaystackClient, paystack: PaystackStandIn, quota: FakeQuota, rent: Rent
    ) -> None:
        paystack.habits.rate_limit = 1
        create(client, rent())

        with pytest.raises(NotProcessed):
            create(client, rent())

        assert len(list(client.payment_requests_of(rent().customer))) == 1
        assert {endpoint for endpoint, _ in quota.paused} == {CREATE}


class TestARejectedKey:
    def test_the_message_names_the_setting_and_not_the_key(self, new_client: NewClient) -> None:
        client = new_client(secret_key="sk_test_wrong")

        with pytest.raises(
            KeyRejected, match=r"401 \(invalid_Key\).*PAYSTACK_SECRET_KEY"
        ) as caught:
            client.verify_payment_request("PRQ_1")

        assert "sk_test_wrong" not in "".join(traceback.format_exception(caught.value))

    def test_no_further_request_leaves(
        self, new_client: NewClient, paystack: PaystackStandIn, quota: FakeQuota, rent: Rent
    ) -> None:
        client = new_client(secret_key="sk_test_wrong")
        for call in (
            lambda: client.verify_payment_request("PRQ_1"),
            lambda: create(client, rent()),
            client.wait_for_slot_to_create,
            lambda: client.notify_customer("PRQ_1"),
        ):
            with pytest.raises(KeyRejected):
                call()

        assert len(paystack.requests) == len(quota.reserved) == 1


@pytest.mark.parametrize(
    "fault", [Fault.drop_after_accepting, lambda: Fault.refuse(400, "No thandi@example.com here")]
)
def test_nobody_s_address_reaches_a_log_or_an_error(
    client: PaystackClient,
    paystack: PaystackStandIn,
    caplog: pytest.LogCaptureFixture,
    fault: Callable[[], Fault],
) -> None:
    caplog.set_level(logging.INFO)
    email = paystack.add_customer("thandi@example.com").email
    client.fetch_customer(email)
    paystack.faults.on("GET /customer/:code", fault())

    with pytest.raises(PaystackError) as caught:
        client.fetch_customer(email)

    shown = caplog.text + "".join(traceback.format_exception(caught.value))
    assert "thandi" not in shown
    assert "httpx" not in shown
