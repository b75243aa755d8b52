"""A malformed e-mail address is seen before anybody is asked."""

import pytest

from leaseup_dagster.customers.addresses import what_is_wrong


@pytest.mark.parametrize(
    "typed",
    [
        "thandi@example.com",
        "  Thandi@Example.COM \n",
        "o'brien+rent@mail.example.co.za",
        "thándi@bücher.example",
        "a@b.co",
        ".dotty.@example.com",
    ],
)
def test_what_a_provider_may_take_is_left_to_it(typed: str) -> None:
    assert what_is_wrong(typed) is None


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("thandi.example.com", "no @"),
        ("@example.com", "before the @"),
        ("thandi@example", "after the @"),
        ("thandi@example..com", "after the @"),
        ("thandi@", "after the @"),
        ("thandi@example.com, sipho@example.com", "more than one"),
        ("thandi@@example.com", "more than one"),
        ("thandi mokoena@example.com", "blank"),
        ("thandi\u200b@example.com", "invisible"),
        ("Thandi<thandi@example.com>", "bracket"),
        ("thandi@example.com;", "bracket or a comma"),
        (f"{'t' * 250}@example.com", "longer than 254"),
    ],
)
def test_what_nobody_takes_is_named_and_not_quoted(typed: str, reason: str) -> None:
    wrong = what_is_wrong(typed)

    assert wrong is not None
    assert reason in wrong
    assert "example" not in wrong.removesuffix("such as example.com")
