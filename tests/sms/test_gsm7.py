"""What a phone gets, and what it costs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaseup_dagster.sms.gsm7 import fingerprint, segments, to_gsm7


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("Zoë", "Zoe"),
        ("Müller", "Müller"),
        ("François Šimon", "Francois Simon"),
        ("Sêrel João", "Serel Joao"),
        ("“Rose” – it’s ok…", '"Rose" - it\'s ok...'),
        ("a\u00a0b\tc", "a b c"),
        ("Thandi 🎉!", "Thandi !"),
        ("{name} 100%", "{name} 100%"),
        ("李", "李"),
    ],
)
def test_the_nearest_gsm7_characters(typed: str, sent: str) -> None:
    assert to_gsm7(typed) == sent


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("{" * 80, 1),
        ("{" * 81, 2),
        ("a" * 152 + "{" + "a" * 152, 3),  # a character of two is not split: one part ends early
        ("李" * 70, 1),
        ("李" * 71, 2),
        ("🎉" * 35, 1),
        ("🎉" * 36, 2),
    ],
)
def test_how_many_messages(text: str, messages: int) -> None:
    assert segments(text) == messages


@given(st.text(max_size=60))
def test_a_text_is_settled_after_one_pass(text: str) -> None:
    """What we keep of a text is what Twilio has nothing left to change in."""
    assert to_gsm7(to_gsm7(text)) == to_gsm7(text)


def test_a_fingerprint_tells_texts_apart_and_holds_none_of_them() -> None:
    assert fingerprint("one") != fingerprint("two")
    assert "one" not in fingerprint("one")
