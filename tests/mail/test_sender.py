"""What each way in which a mail server fails is treated as, on a real server."""

from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest

from leaseup_dagster.mail.sender import (
    Accepted,
    AccountProblem,
    Deferred,
    Outcome,
    Refused,
    SmtpSender,
    Unknown,
)
from leaseup_dagster.sandbox.smtp import Answers, SmtpStandIn, smtp_stand_in

TO = "landlord@example.com"


@pytest.fixture
def inbox() -> Iterator[SmtpStandIn]:
    with smtp_stand_in() as server:
        yield server


@pytest.fixture
def send(inbox: SmtpStandIn) -> Callable[..., Outcome]:
    def through(user: str = "", query: str = "?starttls=false") -> Outcome:
        message = EmailMessage(policy=SMTP)
        message["From"], message["To"], message["Subject"] = "us@example.com", TO, "News"
        message.set_content(".begins with a dot\n")
        return SmtpSender(inbox.url(user, query), 5).send(message, TO)

    return through


def test_a_message_is_taken_as_it_was_written(send: Any, inbox: SmtpStandIn) -> None:
    assert send() == Accepted()
    assert inbox.caught[0].get_content() == ".begins with a dot\r\n"


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ({"rcpt": "550 no such user"}, Refused),
        ({"rcpt": "451 greylisted"}, Deferred),
        ({"data": "554 spam"}, Refused),
        ({"data": "452 queue full"}, Deferred),
        ({"breaks": "before"}, Deferred),
    ],
)
def test_what_was_not_taken(send: Any, inbox: SmtpStandIn, answers: Any, outcome: type) -> None:
    inbox.answers = Answers(**answers)

    found = send()

    assert isinstance(found, outcome)
    assert TO not in found.why
    assert inbox.caught == []


def test_a_connection_lost_after_the_message_is_unknown(send: Any, inbox: SmtpStandIn) -> None:
    inbox.answers = Answers(breaks="after")
    assert isinstance(send(), Unknown)
    assert len(inbox.caught) == 1


@pytest.mark.parametrize(
    ("breaks", "outcome", "caught"), [("silent before", Deferred, 0), ("silent after", Unknown, 1)]
)
def test_a_server_that_says_nothing_is_not_waited_for_for_ever(
    inbox: SmtpStandIn, breaks: str, outcome: type, caught: int
) -> None:
    inbox.answers = Answers(breaks=breaks)
    message = EmailMessage(policy=SMTP)
    message["From"] = "us@example.com"
    message.set_content("News")

    assert isinstance(SmtpSender(inbox.url(), 0.3).send(message, TO), outcome)
    assert len(inbox.caught) == caught


def test_a_password_is_taken_or_the_setting_is_named(send: Any, inbox: SmtpStandIn) -> None:
    assert send("us:right@") == Accepted()
    wrong = send("us:hunter2@")
    assert isinstance(wrong, AccountProblem)
    assert wrong.why.startswith("SMTP_URL: ")
    assert "hunter2" not in wrong.why


def test_a_server_without_starttls_is_not_spoken_to_in_the_open(
    send: Any, inbox: SmtpStandIn
) -> None:
    assert isinstance(send(query=""), AccountProblem)
    assert inbox.caught == []


def test_no_server_is_for_later() -> None:
    message = EmailMessage()
    message["From"] = "us@example.com"
    assert isinstance(SmtpSender("smtp://127.0.0.1:1").send(message, TO), Deferred)
