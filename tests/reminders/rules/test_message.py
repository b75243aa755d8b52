"""The words of a reminder, and what they cost."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaseup_dagster.reminders.rules.message import Facts, in_words, words
from leaseup_dagster.settings import (
    REMINDER_PLACEHOLDERS,
    ReminderSettings,
    SettingsError,
    load,
)
from leaseup_dagster.sms.gsm7 import segments, to_gsm7

TEMPLATE = ReminderSettings().template
LINK = "https://paystack.shop/pay/PRQ_1weqqsn2wwzgft8"
FACTS = Facts(
    first_name="Thandi",
    landlord="Acme Rentals",
    unit="Unit 4",
    property="Palm Court",
    category="RENT",
    amount_cents=850_000,
    due_date=date(2026, 11, 1),
    days_overdue=4,
    link=LINK,
)


def test_a_reminder_says_who_how_much_where_since_when_and_how_to_pay() -> None:
    assert words(TEMPLATE, FACTS) == (
        "Acme Rentals: Hi Thandi, rent of R8 500.00 for Unit 4, Palm Court, due 1 Nov 2026,"
        f" is unpaid. Pay: {LINK} Ignore if paid."
    )


def test_the_usual_reminder_costs_one_message() -> None:
    assert segments(words(TEMPLATE, FACTS)) == 1


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (replace(FACTS, unit="", property=""), "rent of R8 500.00 for your account, due"),
        (replace(FACTS, unit=""), "for Palm Court, due"),
        (replace(FACTS, landlord=""), "your landlord: Hi Thandi"),
        (replace(FACTS, first_name=" "), "Hi tenant,"),
        (replace(FACTS, link=""), "Pay: ask Acme Rentals Ignore"),
        (replace(FACTS, category="WATER_ELECTRICITY"), "water and electricity of R8 500.00"),
        (replace(FACTS, category="NEW_ONE"), "invoice of R8 500.00"),
        (replace(FACTS, first_name="Zoë"), "Hi Zoe,"),
        (replace(FACTS, first_name="Thandi\n🎉"), "Hi Thandi,"),
        (replace(FACTS, amount_cents=123_456_789), "R1 234 567.89"),
    ],
)
def test_what_is_missing_or_unusual_reads_well(facts: Facts, said: str) -> None:
    assert said in words(TEMPLATE, facts)


@pytest.mark.parametrize("name", ["{first_name}", "{0}", "{", "}}", "%s %(x)s", "{landlord.x}"])
def test_a_name_is_never_read_as_a_template(name: str) -> None:
    assert f"Hi {name}," in words(TEMPLATE, replace(FACTS, first_name=name))


@given(st.text(max_size=200), st.text(max_size=200), st.text(max_size=200))
def test_names_of_any_length_fit_into_two_messages(first: str, unit: str, landlord: str) -> None:
    """In the alphabet phones know; nothing can be done about others."""
    latin = [to_gsm7(name).encode("ascii", "ignore").decode() for name in (first, unit, landlord)]
    facts = replace(FACTS, first_name=latin[0], unit=latin[1], property=latin[1], landlord=latin[2])

    assert segments(words(TEMPLATE, facts)) <= 2


def test_a_name_in_another_alphabet_is_kept_and_the_text_goes_out() -> None:
    assert "李" in words(TEMPLATE, replace(FACTS, first_name="李"))


def test_a_day_is_written_the_same_on_every_server() -> None:
    assert in_words(date(2026, 8, 7)) == "7 Aug 2026"


def test_every_placeholder_that_a_template_may_name_is_filled_in() -> None:
    template = " ".join(f"{{{name}}}" for name in REMINDER_PLACEHOLDERS) + " {{}}"

    assert words(template, FACTS) == (
        f"Thandi rent R8 500.00 Unit 4, Palm Court 1 Nov 2026 4 {LINK} Acme Rentals 1 0 {{}}"
    )


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("Pay {amont}", "REMINDER_TEMPLATE: unknown placeholder {amont}; known: {first_name}"),
        ("Pay {}", "unknown placeholder {}"),
        ("Pay {0}", "unknown placeholder {0}"),
        ("{amount.real}", "unknown placeholder {amount.real}"),
        ("{amount!r}", "unknown placeholder"),
        ("{amount:>99}", "unknown placeholder"),
        ("{amount:{days}}", "unknown placeholder"),
        ("Pay {amount", "is no template"),
        ("Pay }", "is no template"),
        ("x" * 601, "at most 600"),
    ],
)
def test_a_wrong_template_stops_the_run_at_its_start(monkeypatch, template, said) -> None:
    monkeypatch.setenv("REMINDER_TEMPLATE", template)

    with pytest.raises(SettingsError) as caught:
        load(ReminderSettings)

    assert said in str(caught.value)
