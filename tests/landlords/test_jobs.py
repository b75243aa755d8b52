"""tell_landlords: what a landlord reads, once, whatever happens to the mail."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from leaseup_dagster.sandbox.smtp import Answers, SmtpStandIn, text_of
from tests.invoicing.test_jobs import failure_of
from tests.landlords.conftest import FIRST, Home, Tell, at

DUE = date(2026, 11, 6)


def states(connection: Connection) -> list[tuple[str, int]]:
    rows = connection.execute(
        text("SELECT state, attempts FROM leaseup_dagster.landlord_email ORDER BY day, landlord_id")
    )
    return [tuple(row) for row in rows]


def texts(inbox: SmtpStandIn) -> list[str]:
    return [text_of(message) for message in inbox.caught]


def test_the_first_run_tells_no_history(a_home: Any, tell: Tell, inbox: SmtpStandIn) -> None:
    one = a_home()
    one.pays(one.invoice(DUE))

    first, second = tell(0), tell(1)

    assert first.success
    assert second.success
    assert inbox.caught == []
    assert (
        "the first run"
        in first.asset_materializations_for_node("report_telling")[0].metadata["report"].value
    )


def test_an_invoice_a_payment_and_an_overdue_one_are_told_once(
    home: Home, tell: Tell, inbox: SmtpStandIn
) -> None:
    invoice = home.invoice(DUE)
    late = home.invoice(FIRST, rands=7000.5)
    home.pays(invoice, 3000.0, createdAt=at(1))

    assert tell(1).success
    assert tell(2).success

    (said,) = texts(inbox)
    assert "- R3 000.00 from Thabo Mokoena, Unit 4, Rose Court, on 3 November 2026;" in said
    assert "still due: R5 500.00" in said
    assert "- R8 500.00 to Thabo Mokoena, Unit 4, Rose Court, due on 6 November 2026" in said
    assert "OVERDUE: R7 000.50 in all" in said
    assert "- R7 000.50 from Thabo Mokoena, Unit 4, Rose Court, 1 day overdue (new)" in said
    assert late


def test_a_stop_of_three_days_is_told_on_the_fourth(
    home: Home, tell: Tell, inbox: SmtpStandIn
) -> None:
    home.invoice(DUE)

    tell(4)

    assert len(inbox.caught) == 1


@pytest.mark.parametrize("first", ["webhook", "ours"])
def test_one_payment_that_two_have_recorded_is_told_once(
    home: Home, tell: Tell, inbox: SmtpStandIn, first: str
) -> None:
    invoice = home.invoice(DUE + timedelta(days=60), offlineReference="OFF-1")
    rows = [{"referenceId": "OFF-1"}, {"referenceId": "T1", "method": "PAYSTACK"}]
    webhook, ours = (rows, rows[::-1])[first == "ours"]

    home.pays(invoice, createdAt=at(0), **webhook)
    tell(1)
    home.pays(invoice, createdAt=at(0), **ours)
    tell(2)

    assert [said.count("PAYMENTS RECEIVED: R8 500.00") for said in texts(inbox)] == [1]


def test_an_edit_of_a_paid_invoice_tells_nothing(
    home: Home, tell: Tell, inbox: SmtpStandIn
) -> None:
    home.pays(home.invoice(DUE))
    tell(1)
    home.change("UPDATE invoice SET status = 'PAID', \"updatedAt\" = now()")

    tell(2)

    assert len(inbox.caught) == 1


@pytest.mark.parametrize(
    ("ends_in", "told_on"), [(60, [0, 30]), (61, [1, 31]), (45, [0, 15]), (20, [0]), (70, [10, 40])]
)
def test_a_lease_that_ends_is_told_at_sixty_days_and_at_thirty(
    a_home: Callable[..., Home], tell: Tell, inbox: SmtpStandIn, ends_in: int, told_on: list[int]
) -> None:
    one = a_home()
    tell(0)
    end = FIRST + timedelta(days=1 + ends_in)
    one.change('UPDATE lease SET "endDate" = :end', end=end)

    days = []
    for day in range(42):
        before = len(inbox.caught)
        if day in told_on or day - 1 in told_on or day in (5, 25):
            tell(1 + day)
        if len(inbox.caught) > before:
            days.append(day)

    assert days == told_on


def test_what_only_the_landlord_can_put_right_is_told(
    a_home: Callable[..., Home], tell: Tell, inbox: SmtpStandIn
) -> None:
    one, two = a_home(), a_home()
    tell(0)
    one.change("UPDATE tenant SET phone = 'none', email = 'thabo@' WHERE id = :id", id=one.tenant)
    one.change("UPDATE lease SET rent = 'NaN' WHERE id = :id", id=one.lease)
    two.change('DELETE FROM tenant_lease WHERE "leaseId" = :id', id=two.lease)

    tell(1)

    first, second = sorted(texts(inbox), key=len, reverse=True)
    assert "this tenant has no usable phone number" in first
    assert "this tenant has no usable e-mail address" in first
    assert "the rent of this lease is not an amount" in first
    assert "this lease has no tenant" in second


def test_a_landlord_reads_of_nobody_elses_tenants(
    a_home: Callable[..., Home], tell: Tell, inbox: SmtpStandIn
) -> None:
    one, two = a_home(), a_home()
    tell(0)
    one.invoice(DUE, 1111.0)
    two.invoice(DUE, 2222.0)

    tell(1)

    said = {message["To"]: text_of(message) for message in inbox.caught}
    assert len(said) == 2
    assert ["R1 111.00" in one for one in said.values()].count(True) == 1
    assert not any("R1 111.00" in one and "R2 222.00" in one for one in said.values())


def test_who_is_not_served_is_told_nothing_and_later_no_history(
    a_home: Callable[..., Home], tell: Tell, inbox: SmtpStandIn
) -> None:
    one = a_home({"paystackSubscriptionStatus": "CANCELLED"})
    tell(0)
    one.invoice(DUE, 1111.0)
    tell(1)
    one.change("""UPDATE "user" SET "paystackSubscriptionStatus" = 'ACTIVE'""")
    one.invoice(DUE + timedelta(days=30), 2222.0)

    tell(2)

    (said,) = texts(inbox)
    assert "R2 222.00" in said
    assert "R1 111.00" not in said


def test_the_message_is_one_that_a_mail_server_knows_again(
    home: Home, tell: Tell, inbox: SmtpStandIn, mailing: pytest.MonkeyPatch
) -> None:
    mailing.setenv("EMAIL_REPLY_TO", "help@leaseup.example")
    mailing.setenv("LEASEUP_APP_URL", "https://app.leaseup.example")
    home.invoice(DUE)
    home.change("UPDATE tenant SET \"firstName\" = '<b>Thabo</b>'")

    tell(1)

    (message,) = inbox.caught
    assert message["Message-ID"].endswith("@leaseup.example>")
    assert message["List-Unsubscribe"] == "<mailto:help@leaseup.example?subject=unsubscribe>"
    assert message["Reply-To"] == "help@leaseup.example"
    assert message["Subject"] == "Rent: 1 invoice"
    html = message.get_body(("html",)).get_content()
    assert "&lt;b&gt;Thabo&lt;/b&gt;" in html
    assert "https://app.leaseup.example" in html


def test_all_go_to_one_address_for_a_trial(
    home: Home, tell: Tell, inbox: SmtpStandIn, mailing: pytest.MonkeyPatch
) -> None:
    mailing.setenv("LANDLORD_EMAILS_TO", "me@leaseup.example")
    home.invoice(DUE)

    tell(1)

    assert [message["To"] for message in inbox.caught] == ["me@leaseup.example"]


@pytest.mark.parametrize("why", ["refused by the server", "two in one field", "empty"])
def test_one_bad_address_stops_no_other_and_is_named(
    a_home: Callable[..., Home], tell: Tell, inbox: SmtpStandIn, why: str, connection: Connection
) -> None:
    bad, good = a_home(), a_home()
    tell(0)
    address = {"two in one field": "a@example.com, b@example.com", "empty": ""}.get(why)
    if address is None:
        inbox.answers = Answers(rcpt="550 no such user", to="gone@example.com")
        address = "gone@example.com"
    bad.change(
        'UPDATE "user" SET email = :address WHERE id = :id', address=address, id=bad.landlord
    )
    bad.invoice(DUE)
    good.invoice(DUE)

    result = tell(1)

    assert result.success
    assert len(inbox.caught) == 1
    assert sorted(states(connection)) == [("refused", 1), ("sent", 1)]
    metadata = result.asset_materializations_for_node("report_telling")[0].metadata
    assert bad.landlord in metadata["report"].value
    assert "@" not in metadata["report"].value
    bad.change("""UPDATE "user" SET email = 'new@example.com' WHERE id = :id""", id=bad.landlord)
    assert tell(2).success
    assert inbox.caught[-1]["To"] == "new@example.com"


@pytest.mark.parametrize(
    "answers",
    [
        {"rcpt": "451 greylisted"}, {"data": "452 queue full"}, {"breaks": "before"},
    ],
)  # fmt: skip
def test_what_was_not_taken_is_tried_again_within_the_run(
    home: Home, tell: Tell, inbox: SmtpStandIn, answers: dict[str, str], connection: Connection
) -> None:
    home.invoice(DUE)
    inbox.answers = Answers(**answers, times=1)

    assert tell(1).success

    assert len(inbox.caught) == 1
    assert states(connection) == [("sent", 2)]


def test_what_is_never_taken_today_is_told_tomorrow(
    home: Home, tell: Tell, inbox: SmtpStandIn, connection: Connection
) -> None:
    home.invoice(DUE)
    inbox.answers = Answers(rcpt="451 greylisted")

    today = tell(1)
    inbox.answers = Answers()
    tomorrow = tell(2)

    assert not today.success
    assert "the server asks to try later (451)" in failure_of(today)
    assert tomorrow.success
    assert len(inbox.caught) == 1
    assert [state for state, _ in states(connection)] == ["deferred", "sent"]


def test_what_may_have_been_taken_counts_as_told_and_is_listed(
    home: Home, tell: Tell, inbox: SmtpStandIn, connection: Connection
) -> None:
    home.invoice(DUE)
    inbox.answers = Answers(breaks="after")

    result = tell(1)
    inbox.answers = Answers()
    tell(2)

    assert result.success
    assert len(inbox.caught) == 1
    assert states(connection) == [("unknown", 1)]
    assert (
        home.landlord
        in result.asset_materializations_for_node("report_telling")[0].metadata["report"].value
    )


def test_a_wrong_password_stops_and_names_the_setting(
    a_home: Callable[..., Home], tell: Tell, inbox: SmtpStandIn, mailing: pytest.MonkeyPatch
) -> None:
    homes = [a_home(), a_home()]
    tell(0)
    for one in homes:
        one.invoice(DUE)
    mailing.setenv("SMTP_URL", inbox.url("us:hunter2@"))

    wrong = tell(1)
    mailing.setenv("SMTP_URL", inbox.url("us:right@"))
    right = tell(1)

    assert "SMTP_URL: the server refuses the user or password" in failure_of(wrong)
    assert "hunter2" not in failure_of(wrong)
    assert right.success
    assert len(inbox.caught) == 2


def test_two_runs_at_once_tell_once(
    home: Home, start: Callable[..., Any], mailing: pytest.MonkeyPatch, inbox: SmtpStandIn
) -> None:
    home.invoice(DUE)
    config = {"begin_telling": {"as_of": str(FIRST + timedelta(days=1))}}

    runs = [start("tell_landlords", config) for _ in range(2)]

    assert [run.wait(60) for run in runs] == [0, 0]
    assert len(inbox.caught) == 1


def test_nothing_is_told_until_it_is_switched_on(
    a_home: Callable[..., Home], run: Callable[..., Any], inbox: SmtpStandIn, connection: Connection
) -> None:
    a_home().invoice(DUE)

    assert run("tell_landlords", {"begin_telling": {"as_of": str(FIRST)}}).success

    assert inbox.caught == []
    assert states(connection) == []


def test_a_template_of_ones_own(
    home: Home, tell: Tell, inbox: SmtpStandIn, mailing: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "daily.txt").write_text("Dear {{ landlord }}: {{ totals.invoice|rands }}\n")
    mailing.setenv("LANDLORD_EMAIL_TEMPLATES", str(tmp_path))
    home.invoice(DUE)

    tell(1)

    (message,) = inbox.caught
    plain = message.get_body(("plain",)).get_content()
    assert plain == "Dear Dlamini Properties: R8 500.00\r\n"


def test_a_template_of_the_release_before_still_works(
    home: Home, tell: Tell, inbox: SmtpStandIn, mailing: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """It asks for `told`, which is `notified` now."""
    words = "{% for item in sections.invoice %}{{ 'again' if item.told else 'new' }}{% endfor %}\n"
    (tmp_path / "daily.txt").write_text(words)
    mailing.setenv("LANDLORD_EMAIL_TEMPLATES", str(tmp_path))
    home.invoice(DUE)

    tell(1)

    (message,) = inbox.caught
    assert message.get_body(("plain",)).get_content() == "new\r\n"


def test_a_preview_shows_it_without_a_name_and_sends_nothing(
    home: Home, run: Callable[..., Any], inbox: SmtpStandIn, connection: Connection
) -> None:
    home.invoice(DUE)

    result = run("preview_landlord_emails", {"preview_landlord_news": {"as_of": "2026-11-03"}})

    (event,) = [e for e in result.all_events if e.event_type_value == "STEP_OUTPUT"]
    said = event.event_specific_data.metadata["report"].value
    assert "- R8 500.00 to T… M…, Unit 4, Rose Court, due on 6 November 2026" in said
    assert "Mokoena" not in said
    assert "Dlamini" not in said
    assert inbox.caught == []
    assert states(connection) == []
