"""What would refuse a record is found before anything leaves, by `check` and by the run.

Each in its own way was met in somebody's database. Counted: the requests that left, none.
"""

from collections.abc import Callable
from dataclasses import dataclass

import dagster as dg
import pytest
from sqlalchemy import Connection, text

from leaseup_dagster.sandbox.paystack import PaystackStandIn
from tests.conftest import Run
from tests.recording.conftest import CHECK, Command, Due

DATABASE = "current_database()"


@dataclass(frozen=True)
class Trouble:
    """SQL with `{role}` in it, and what is said of it."""

    sql: str
    said: str
    jobs: tuple[str, ...] = ("check_upcoming_invoices",)


def trigger(table: str, event: str, timing: str = "BEFORE", body: str = "RAISE 'Jane Doe'") -> str:
    kind = "CONSTRAINT TRIGGER" if timing == "DEFERRED" else "TRIGGER"
    when = f"AFTER {event}" if timing == "DEFERRED" else f"{timing} {event}"
    deferred = "DEFERRABLE INITIALLY DEFERRED" if timing == "DEFERRED" else ""
    return (
        f"CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {body}; END';"
        f" CREATE {kind} theirs {when} ON {table} {deferred} FOR EACH ROW EXECUTE FUNCTION theirs()"
    ).replace("'Jane Doe'", "''Jane Doe''")


BILLS = ("check_upcoming_invoices", "create_invoice", "reconcile_payment_requests")
SEES_ALL = (
    "CREATE POLICY reads ON {table} FOR SELECT USING (true);"
    " ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;"
)

TROUBLES = {
    "no USAGE on the sequence of invoice numbers": Trouble(
        'REVOKE USAGE ON SEQUENCE "invoice_invoiceNumber_seq" FROM {role}',
        'GRANT USAGE ON SEQUENCE "public"."invoice_invoiceNumber_seq" TO',
        BILLS,
    ),
    "row-level security without a policy to insert": Trouble(
        SEES_ALL.format(table="invoice"),
        'CREATE POLICY "leaseup_dagster_insert" ON "public"."invoice" FOR INSERT TO',
    ),
    "row-level security whose policy refuses the insert": Trouble(
        SEES_ALL.format(table="invoice")
        + "CREATE POLICY updates ON invoice FOR UPDATE USING (true);"
        " CREATE POLICY inserts ON invoice FOR INSERT WITH CHECK (category <> 'RENT');",
        'row violates row-level security policy for table "invoice"',
    ),
    "rows that we may not see": Trouble(
        "ALTER TABLE lease ENABLE ROW LEVEL SECURITY",
        'CREATE POLICY "leaseup_dagster_select" ON "public"."lease" FOR SELECT TO',
        (*BILLS, "preview_upcoming_invoices", "send_late_payment_reminders"),
    ),
    "rows of one landlord only": Trouble(
        "ALTER TABLE tenant ENABLE ROW LEVEL SECURITY;"
        """CREATE POLICY theirs ON tenant USING ("landlordId" = current_user)""",
        "no policy on tenant allows SELECT of every row",
    ),
    "a restrictive policy beside an open one": Trouble(
        SEES_ALL.format(table="lease")
        + """CREATE POLICY narrow ON lease AS RESTRICTIVE USING ("unitId" IS NULL)""",
        "a restrictive policy on lease narrows SELECT",
    ),
    "a column that we may not read": Trouble(
        'REVOKE SELECT ("rent") ON lease FROM {role}',
        'GRANT SELECT ("rent") ON "public"."lease" TO',
    ),
    "a new column that must be filled": Trouble(
        'ALTER TABLE invoice ADD COLUMN "companyId" text NOT NULL',
        "refuses with NotNullViolation (table invoice, column companyId)."
        " LeaseUp requires a column that this release does not fill",
        BILLS,
    ),
    "a trigger of somebody else's": Trouble(
        trigger("invoice", "INSERT"),
        "refuses with RaiseException (in PL/pgSQL function theirs())",
        BILLS,
    ),
    "a trigger that drops the row without a word": Trouble(
        trigger("invoice", "INSERT", body="RETURN NULL"),
        "nothing refused it and nothing was written",
    ),
    "a rule that is examined when it is committed": Trouble(
        trigger("invoice", "INSERT", "DEFERRED"),
        "refuses with RaiseException (in PL/pgSQL function theirs())",
    ),
    "a database that only reads": Trouble(
        "ALTER ROLE {role} SET default_transaction_read_only = on",
        "Point DATABASE_URL at the server that writes",
        (*BILLS, "send_late_payment_reminders", "create_paystack_customers"),
    ),
    "a history that may not be written": Trouble(
        "REVOKE INSERT ON leaseup_dagster.invoice_history FROM {role}",
        'GRANT INSERT ON "leaseup_dagster"."invoice_history" TO',
    ),
    "a payment that is refused": Trouble(
        trigger("transaction", "INSERT"),
        "A payment cannot be recorded.",
        ("reconcile_payment_requests", "send_late_payment_reminders"),
    ),
    "a status that is refused": Trouble(
        trigger("invoice", "UPDATE"),
        "PAID on an invoice cannot be recorded.",
        ("reconcile_payment_requests", "send_late_payment_reminders"),
    ),
    "a text that is refused": Trouble(
        trigger("leaseup_dagster.reminder_ledger", "UPDATE"),
        "A text cannot be recorded.",
        ("send_late_payment_reminders",),
    ),
    "a customer that is refused": Trouble(
        trigger("tenant", "UPDATE"),
        "A tenant's Paystack customer cannot be recorded.",
        ("create_paystack_customers", "check_upcoming_invoices"),
    ),
}


@pytest.fixture
def waiting(due: Due, connection: Connection) -> list[str]:
    """Leases that fall due; the first one's tenant has no customer yet."""
    leases = due(25)
    connection.execute(
        text(
            'UPDATE tenant SET "paystackCustomerId" = NULL WHERE id ='
            ' (SELECT "tenantId" FROM tenant_lease WHERE "leaseId" = :lease)'
        ),
        {"lease": leases[0]},
    )
    return leases


def config(job: str, lease: str) -> dict[str, dict[str, str]]:
    day = {"as_of": "2026-11-24"}
    return {
        "check_upcoming_invoices": {"plan_invoices": day},
        "create_invoice": {"plan_one_invoice": day | {"lease_id": lease}},
        "preview_upcoming_invoices": {"preview_invoices": day},
        "send_late_payment_reminders": {"mark_overdue_invoices": day},
    }.get(job, {})


def failure_of(result: dg.ExecuteInProcessResult) -> list[str]:
    """The messages of the failed steps, outermost first: what a person reads."""
    said = []
    for event in result.all_events:
        error = getattr(event.event_specific_data, "error", None) if event.is_failure else None
        while error:
            said.append(f"{error.cls_name}: {error.message}")
            error = error.cause
    return said


@pytest.mark.parametrize("name", TROUBLES)
def test_nothing_leaves_and_it_is_said(
    name: str, role: str, run: Run, command: Command, waiting: list[str], connection: Connection,
    paystack: PaystackStandIn,
) -> None:  # fmt: skip
    trouble = TROUBLES[name]
    connection.exec_driver_sql(trouble.sql.format(role=role))
    before = _traces(connection)

    code, checked = command("check")
    assert _traces(connection) == before
    results = {job: run(job, config(job, waiting[0])) for job in trouble.jobs}

    assert code == 1
    assert trouble.said in " ".join(checked.split()), checked
    assert checked.endswith("1 of 9 wrong: DATABASE_URL\n")
    for job, result in results.items():
        said = "\n".join(failure_of(result))
        assert not result.success, job
        assert trouble.said in " ".join(said.split()), f"{job}: {said}"
        assert "Jane Doe" not in checked + said
    assert [seen.endpoint for seen in paystack.requests] == []
    after = _traces(connection)
    planned = ("leaseup_dagster.invoice_ledger", "leaseup_dagster.invoice_history")
    for table in after.keys() - (planned if name == "a customer that is refused" else ()):
        assert after[table] == before[table], table


def test_the_sentence_comes_first(
    role: str, run: Run, waiting: list[str], connection: Connection
) -> None:
    """In front of the stack, on the page of the step; and it is not tried again."""
    connection.exec_driver_sql(trigger("invoice", "INSERT"))

    said = failure_of(run(*CHECK))

    assert said[0].startswith(
        "Failure: dagster._core.definitions.events.Failure: Nothing was sent: An invoice cannot be"
    )


def test_all_of_it_is_said_not_the_first(
    role: str, command: Command, waiting: list[str], connection: Connection
) -> None:
    connection.exec_driver_sql(trigger("invoice", "INSERT"))
    connection.exec_driver_sql(
        "CREATE TRIGGER theirs BEFORE UPDATE ON tenant FOR EACH ROW EXECUTE FUNCTION theirs();"
        " CREATE TRIGGER theirs BEFORE INSERT ON leaseup_dagster.reminder_ledger"
        " FOR EACH ROW EXECUTE FUNCTION theirs()"
    )

    said = command("check")[1]

    for what in ("An invoice cannot", "A tenant's Paystack customer cannot", "A text cannot"):
        assert what in said


def test_a_policy_that_shows_all_and_takes_all_is_enough(
    role: str, run: Run, due: Due, command: Command, connection: Connection
) -> None:
    """What `check` printed, carried out."""
    due(1)
    for table in ("lease", "tenant", "invoice", "transaction", "property"):
        connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")

    statements = [
        line.strip()
        for line in command("check")[1].splitlines()
        if line.strip().startswith("CREATE POLICY")
    ]
    connection.exec_driver_sql(" ".join(statements))

    assert command("check")[0] == 0
    assert run(*CHECK).success
    assert connection.execute(text("SELECT count(*) FROM invoice")).scalar() == 1


def test_without_a_single_tenancy_rights_are_tried_and_that_is_said(
    role: str, command: Command, connection: Connection
) -> None:
    code, said = command("check")

    assert code == 0
    assert "no lease has a tenant yet, so only rights were tried" in said


def _traces(connection: Connection) -> dict[str, object]:
    """Every row that a rehearsal writes, and where LeaseUp's invoice numbers stand."""
    ask: Callable[[str], object] = lambda sql: connection.execute(text(sql)).all()  # noqa: E731
    return {
        "numbers": ask('SELECT last_value, is_called FROM "invoice_invoiceNumber_seq"'),
        "tenants": ask('SELECT id, "paystackCustomerId", "updatedAt" FROM tenant ORDER BY id'),
        **{
            table: ask(f"SELECT count(*) FROM {table}")
            for table in (
                "invoice", "transaction", "leaseup_dagster.invoice_ledger",
                "leaseup_dagster.invoice_history", "leaseup_dagster.reminder_ledger",
                "leaseup_dagster.reminder_history", "leaseup_dagster.customer_refusal",
            )
        },
    }  # fmt: skip
