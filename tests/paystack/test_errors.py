"""The tree of errors, their words, and what their words never hold."""

import pickle

import pytest

from leaseup_dagster.paystack.errors import (
    KeyRejected,
    NotFound,
    NotProcessed,
    NotSent,
    OutcomeUnknown,
    PaystackError,
    Refused,
    redacted,
)


@pytest.mark.parametrize(
    ("kind", "parent"),
    [
        (NotProcessed, PaystackError),
        (NotSent, NotProcessed),
        (OutcomeUnknown, PaystackError),
        (Refused, PaystackError),
        (KeyRejected, Refused),
        (NotFound, Refused),
    ],
)
def test_each_error_is_what_the_tree_says(kind: type, parent: type) -> None:
    assert kind.__base__ is parent


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            Refused("Customer not found", status=400, code="invalid_params"),
            "Paystack API error 400 (invalid_params): Customer not found",
        ),
        (OutcomeUnknown("Bad Gateway", status=502), "Paystack API error 502: Bad Gateway"),
        (NotProcessed("could not connect"), "Paystack API error: could not connect"),
    ],
)
def test_an_error_reads_as_operators_search_for_it(error: PaystackError, words: str) -> None:
    assert str(error) == words


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("No customer thandi.m+1@example.co.za here", "No customer [e-mail] here"),
        ("mail <thandi@example.com>, please", "mail <[e-mail]>, please"),
        ("Phone 0821234567 is taken", "Phone [number] is taken"),
        ("Phone +27 82 123-4567 is taken", "Phone [number] is taken"),
        ("Phone +27 (82) 123 4567 is taken", "Phone [number] is taken"),
        ("Key sk_live_9af3 and pk_test_1", "Key [key] and [key]"),
        ('"amount" must be at least 100', '"amount" must be at least 100'),
        ("Split SPL_98WF13Eb3w is unknown", "Split SPL_98WF13Eb3w is unknown"),
    ],
)
def test_addresses_numbers_and_keys_are_taken_out(said: str, kept: str) -> None:
    assert redacted(said) == kept


def test_the_parts_of_an_error_are_clean_too() -> None:
    """Logs and metadata take the fields, not only the text."""
    error = Refused("thandi@example.com is blocked", status=400, code="sk_live_1")

    assert (error.message, error.args, error.code) == (
        "[e-mail] is blocked",
        ("[e-mail] is blocked",),
        "[key]",
    )


def test_a_page_of_prose_is_shortened() -> None:
    assert len(Refused("word " * 1000).message) < 310


def test_an_error_survives_the_way_between_processes() -> None:
    error = NotProcessed("Rate limit exceeded!", status=429, retry_after_seconds=30)

    copy = pickle.loads(pickle.dumps(error))

    assert (str(copy), copy.retry_after_seconds) == (str(error), 30)
