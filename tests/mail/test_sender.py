"""What each way in which a mail server fails is taken for, on a real server."""

import socket
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from leaseup_dagster.mail.sender import (
    Accepted,
    AccountProblem,
    Deferred,
    Outcome,
    Refused,
    SmtpSender,
    Unknown,
)

TO = "landlord@example.com"


class Inbox:
    """Takes what it is not told to refuse; `rcpt` and `data` are its answers."""

    def __init__(self) -> None:
        self.caught: list[bytes] = []
        self.rcpt, self.data, self.breaks = "250 OK", "250 OK", ""

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, _: Any):
        if self.breaks == "before":
            server.transport.close()
        envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, server: Any, session: Any, envelope: Any):
        if self.data.startswith("250"):
            self.caught.append(envelope.content)
        if self.breaks == "after":
            server.transport.close()
        return self.data


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def send(inbox: Inbox) -> Iterator[Callable[..., Outcome]]:
    def login(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=data.password == b"right", handled=False)

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(
        inbox, hostname="127.0.0.1", port=port, authenticator=login, auth_require_tls=False
    )
    controller.start()

    def through(user: str = "", query: str = "?starttls=false") -> Outcome:
        message = EmailMessage(policy=SMTP)
        message["From"], message["To"], message["Subject"] = "us@example.com", TO, "News"
        message.set_content(".begins with a dot\n")
        return SmtpSender(f"smtp://{user}127.0.0.1:{port}{query}", 5).send(message, TO)

    yield through
    controller.stop()


def test_a_message_is_taken_as_it_was_written(send: Any, inbox: Inbox) -> None:
    assert send() == Accepted()
    assert inbox.caught[0].endswith(b"\r\n\r\n.begins with a dot\r\n")


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
def test_what_was_not_taken(send: Any, inbox: Inbox, answers: Any, outcome: type) -> None:
    vars(inbox).update(answers)

    found = send()

    assert isinstance(found, outcome)
    assert TO not in found.why
    assert inbox.caught == []


def test_a_connection_lost_after_the_message_is_unknown(send: Any, inbox: Inbox) -> None:
    inbox.breaks = "after"
    assert isinstance(send(), Unknown)
    assert len(inbox.caught) == 1


def test_a_password_is_taken_or_the_setting_is_named(send: Any, inbox: Inbox) -> None:
    assert send("us:right@") == Accepted()
    wrong = send("us:hunter2@")
    assert isinstance(wrong, AccountProblem)
    assert wrong.why.startswith("SMTP_URL: ")
    assert "hunter2" not in wrong.why


def test_a_server_without_starttls_is_not_spoken_to_in_the_open(send: Any, inbox: Inbox) -> None:
    assert isinstance(send(query=""), AccountProblem)
    assert inbox.caught == []


def test_no_server_is_for_later() -> None:
    message = EmailMessage()
    message["From"] = "us@example.com"
    assert isinstance(SmtpSender("smtp://127.0.0.1:1").send(message, TO), Deferred)
