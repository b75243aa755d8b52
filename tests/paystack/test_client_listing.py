"""Lists are read to their end: what is not found is billed again."""

import math
from datetime import datetime, timedelta, timezone
from itertools import islice

import pytest

from leaseup_dagster.paystack.client import LIST, PaystackClient
from leaseup_dagster.paystack.errors import OutcomeUnknown
from leaseup_dagster.sandbox.faults import Fault
from leaseup_dagster.sandbox.paystack import PaystackStandIn
from tests.paystack.conftest import FakeQuota, Rent, create


class TestListing:
    @pytest.mark.parametrize("count", [0, 1, 2, 4, 5])
    def test_every_page_is_read_and_each_takes_its_turn(
        self,
        client: PaystackClient,
        paystack: PaystackStandIn,
        quota: FakeQuota,
        rent: Rent,
        count: int,
    ) -> None:
        paystack.habits.largest_page = 2
        made = {create(client, rent(f"LU-{number}")).id for number in range(count)}

        found = [request.id for request in client.payment_requests_of(rent().customer)]

        assert (len(found), set(found)) == (count, made)
        assert quota.reserved == [LIST] * max(1, math.ceil(count / 2))

    def test_one_made_meanwhile_shows_no_other_twice(
        self, client: PaystackClient, paystack: PaystackStandIn, rent: Rent
    ) -> None:
        """Pages are offsets: seen twice, it would seem a double bill."""
        paystack.habits.largest_page = 2
        made = {create(client, rent(f"LU-{number}")).id for number in range(4)}
        listing = client.payment_requests_of(rent().customer)

        first = [request.id for request in islice(listing, 2)]
        create(client, rent("LU-new"))
        found = first + [request.id for request in listing]

        assert (len(found), set(found)) == (4, made)

    def test_archived_ones_are_listed_too(
        self, client: PaystackClient, paystack: PaystackStandIn, rent: Rent
    ) -> None:
        paystack.archive(create(client, rent("LU-7")).request_code)

        [found] = client.payment_requests_of(rent().customer)

        assert found.mentions("LU-7")
        assert found.archived is None

    def test_another_customer_s_are_not(
        self, client: PaystackClient, paystack: PaystackStandIn, rent: Rent
    ) -> None:
        create(client, rent())
        other = paystack.add_customer("sipho@example.com")

        assert list(client.payment_requests_of(other.id)) == []

    def test_a_period_has_all_customers_and_nothing_from_outside(
        self, client: PaystackClient, paystack: PaystackStandIn, rent: Rent
    ) -> None:
        earlier, inside = create(client, rent("LU-1")), create(client, rent("LU-2"))
        now, day = datetime.now(tz=timezone.utc), timedelta(days=1)
        paystack.payment_requests[0].created_at -= 3 * day

        found = client.payment_requests_between(now - day, now + day)

        assert [request.id for request in found] == [inside.id] != [earlier.id]

    def test_an_unreadable_row_fails_the_listing(
        self, client: PaystackClient, paystack: PaystackStandIn, rent: Rent
    ) -> None:
        """It might be the one that is searched for: skipped, it would be billed again."""
        create(client, rent())
        paystack.faults.on_list(Fault.envelope(data=[{"id": 1}]))

        with pytest.raises(OutcomeUnknown, match="request_code"):
            list(client.payment_requests_of(rent().customer))
