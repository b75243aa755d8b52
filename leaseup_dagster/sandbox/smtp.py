"""A mail server on this machine that catches what it is sent, and fails on request."""

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

PASSWORD = "right"
# It lives in the process of those whom it serves, and writes down whom they write to.
logging.getLogger("mail.log").setLevel(logging.ERROR)


@dataclass
class Answers:
    """What it says from now on, to everybody or `to` one address; `times`: so often, then as usual.

    `breaks`: the connection is lost `before` the message, or `after` it was accepted; or nothing
    more is said, `silent before` it or `silent after`.
    """

    rcpt: str = "250 OK"
    data: str = "250 OK"
    breaks: str = ""
    to: str = ""
    times: float = float("inf")


@dataclass
class SmtpStandIn:
    """The server. `caught` is what it took, in order; `answers` may be replaced at any time."""

    port: int
    caught: list[EmailMessage] = field(default_factory=list)
    answers: Answers = field(default_factory=Answers)

    def url(self, user: str = "", query: str = "?starttls=false") -> str:
        return f"smtp://{user}127.0.0.1:{self.port}{query}"

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        answers = self._answers_to(address)
        if answers.breaks == "silent before":
            await asyncio.Event().wait()
        if answers.breaks == "before":
            answers.times -= 1
            server.transport.close()
        elif not answers.rcpt.startswith("250"):
            answers.times -= 1
        else:
            envelope.rcpt_tos.append(address)
        return answers.rcpt

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        answers = self._answers_to(envelope.rcpt_tos[0])
        if answers.data.startswith("250"):
            message = message_from_bytes(envelope.content, policy=default)
            assert isinstance(message, EmailMessage)
            self.caught.append(message)
        if answers.breaks == "silent after":
            await asyncio.Event().wait()
        if answers.breaks == "after":
            server.transport.close()
        if answers.breaks == "after" or not answers.data.startswith("250"):
            answers.times -= 1
        return answers.data

    def _answers_to(self, address: str) -> Answers:
        meant = self.answers.to in ("", address) and self.answers.times > 0
        return self.answers if meant else Answers()


def text_of(message: EmailMessage) -> str:
    """What a reader without HTML sees."""
    body = message.get_body(("plain",))
    assert isinstance(body, EmailMessage)
    return str(body.get_content()).replace("\r\n", "\n")


@contextmanager
def smtp_stand_in() -> Iterator[SmtpStandIn]:
    """On a port of its own; a login needs `PASSWORD`."""

    def login(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)

    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        stand_in = SmtpStandIn(probe.getsockname()[1])
    controller = Controller(
        stand_in,
        hostname="127.0.0.1",
        port=stand_in.port,
        authenticator=login,
        auth_require_tls=False,
    )
    controller.start()
    try:
        yield stand_in
    finally:
        controller.stop()
