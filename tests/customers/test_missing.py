"""SQL: who has no customer, what is stored, what is remembered; on a real PostgreSQL."""

from sqlalchemy import Connection, Engine, text

from leaseup_dagster.customers import missing
from leaseup_dagster.customers.next_batch import TenantTable
from tests.customers.conftest import Codes, Tenants

CODE = "CUS_abcdefghijklmno"


def refuse(connection: Connection, tenant_id: str) -> None:
    (registrant,) = missing.registrants(connection, [tenant_id])
    missing.remember_refusal(connection, registrant, "Invalid Email Address Passed")


def change(connection: Connection, tenant_id: str, **values: str) -> None:
    for column, value in values.items():
        connection.execute(
            text(f'UPDATE tenant SET "{column}" = :value WHERE id = :id'),
            {"value": value, "id": tenant_id},
        )


def test_those_without_a_customer_wait_in_order_and_the_rest_are_counted(
    connection: Connection, tenants: Tenants
) -> None:
    tenants(2, paystackCustomerId=CODE)
    refused, resting, *free = sorted(tenants(5))
    refuse(connection, refused)

    waiting = missing.waiting(connection, resting={resting, "nobody"}, limit=2)

    assert (waiting.total, waiting.refused, waiting.resting) == (4, 1, 1)
    assert waiting.tenant_ids == tuple(free[:2])


def test_a_refused_tenant_waits_again_when_any_of_its_data_change(
    connection: Connection, tenants: Tenants
) -> None:
    for column in ("email", "firstName", "lastName", "phone"):
        (tenant,) = tenants()
        refuse(connection, tenant)
        assert missing.tenants_to_register(connection, [tenant], 1) == ()

        change(connection, tenant, **{column: "0821234567"})

        assert missing.tenants_to_register(connection, [tenant], 1) == (tenant,)


def test_a_corrected_tenant_need_not_rest(connection: Connection, tenants: Tenants) -> None:
    (tenant,) = tenants()
    before = missing.fingerprint(connection, [tenant])
    refuse(connection, tenant)
    change(connection, tenant, email="corrected@example.com")

    assert missing.waiting(connection, resting={tenant}, limit=1).tenant_ids == (tenant,)
    assert missing.fingerprint(connection, [tenant]) != before


def test_a_person_can_let_one_refusal_be_forgotten_or_all(
    connection: Connection, tenants: Tenants
) -> None:
    first, *others = sorted(tenants(3))
    for tenant in (first, *others):
        refuse(connection, tenant)

    missing.forget_refusals(connection, [first])
    assert missing.tenants_to_register(connection, [], 9) == (first,)

    missing.forget_refusals(connection, [])
    assert missing.tenants_to_register(connection, [], 9) == (first, *others)


def test_a_code_is_never_stored_over_another(
    connection: Connection, tenants: Tenants, codes: Codes
) -> None:
    (tenant,) = tenants()
    (registrant,) = missing.registrants(connection, [tenant])

    assert missing.store_customer(connection, registrant, CODE)
    assert not missing.store_customer(connection, registrant, "CUS_another")
    assert codes() == {tenant: CODE}


def test_a_code_is_not_stored_for_another_email_address_than_was_sent(
    connection: Connection, tenants: Tenants, codes: Codes
) -> None:
    (tenant,) = tenants()
    (registrant,) = missing.registrants(connection, [tenant])
    change(connection, tenant, email="corrected@example.com")

    assert not missing.store_customer(connection, registrant, CODE)
    assert codes() == {tenant: None}


def test_storing_a_code_tells_the_application_that_the_row_changed(
    connection: Connection, tenants: Tenants
) -> None:
    (tenant,) = tenants(updatedAt="2020-01-01")
    missing.store_customer(connection, missing.registrants(connection, [tenant])[0], CODE)

    age = connection.execute(text("SELECT timezone('UTC', now()) - \"updatedAt\" FROM tenant"))
    assert abs(age.scalar_one().total_seconds()) < 60


def test_how_each_stands_is_told_also_of_one_that_was_deleted(
    connection: Connection, tenants: Tenants
) -> None:
    (refused,), (done,), (open_,) = tenants(), tenants(paystackCustomerId=CODE), tenants()
    refuse(connection, refused)

    found = missing.statuses(connection, [refused, done, open_, "deleted"])

    assert {s.tenant_id: (s.customer_code, s.refusal) for s in found} == {
        refused: (None, "Invalid Email Address Passed"),
        done: (CODE, None),
        open_: (None, None),
    }
    assert missing.unknown(connection, [done, "deleted"]) == ["deleted"]


def test_the_table_is_known_to_be_written_to_without_reading_it(
    engine: Engine, connection: Connection, tenants: Tenants
) -> None:
    def evaluate() -> TenantTable:
        with engine.connect() as another:
            return missing.tenant_table(another)

    def flush() -> None:
        """What each session does by itself, at the latest after ten seconds."""
        connection.execute(text("SELECT pg_stat_force_next_flush()"))

    tenants()
    flush()
    before = evaluate()
    assert evaluate() == before

    (refused,) = tenants()
    flush()
    inserted = evaluate()
    refuse(connection, refused)
    flush()

    assert before.changes < inserted.changes < evaluate().changes
    assert before.bytes > 0


def test_nobody_s_data_are_in_the_repr_of_an_applicant(
    connection: Connection, tenants: Tenants
) -> None:
    (tenant,) = tenants()

    assert repr(missing.registrants(connection, [tenant])) == f"[Registrant(tenant_id='{tenant}')]"
