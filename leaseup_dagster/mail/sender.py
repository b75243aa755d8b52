"""One message to one address, and what became of it.

*Not accepted* must be proven: once the message itself was submitted and no answer came, it is
Unknown. The server's own words stay outside: they may quote the address.
"""

import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from typing import TypeAlias
from urllib.parse import parse_qs, unquote, urlsplit

SECONDS = 20.0


@dataclass(frozen=True)
class Accepted:
    """The server took it, which is not the same as delivered."""


@dataclass(frozen=True)
class Refused:
    """For this address, for good."""

    why: str


@dataclass(frozen=True)
class Deferred:
    """Certainly not accepted; later it may be. Greylisting, a full queue, no connection."""

    why: str


@dataclass(frozen=True)
class AccountProblem:
    """It would be the same for everybody. `why` names the setting to check."""

    why: str


@dataclass(frozen=True)
class Unknown:
    """The message may have been accepted: `why` says what happened instead of an answer."""

    why: str


Outcome: TypeAlias = Accepted | Refused | Deferred | AccountProblem | Unknown


class SmtpSender:
    """SMTP_URL's server: `smtp://user:password@host:587`, with STARTTLS unless `?starttls=false`,
    or `smtps://`. A connection for each message: one that fails spoils no other."""

    def __init__(self, url: str, timeout_seconds: float = SECONDS) -> None:
        parts = urlsplit(url)
        self._host, self._tls = parts.hostname or "", parts.scheme == "smtps"
        self._port = parts.port or (465 if self._tls else 587)
        self._starttls = parse_qs(parts.query).get("starttls", ["true"])[0] == "true"
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self._timeout = timeout_seconds

    def send(self, message: EmailMessage, to: str) -> Outcome:
        """Never raises for anything the server or the network does, and never repeats itself."""
        return self._connected(lambda server: _submit(server, message, to))

    def try_out(self) -> Outcome:
        """Everything up to a message: connection, TLS and password."""
        return self._connected(lambda server: Accepted())

    def _connected(self, act: Callable[[smtplib.SMTP], Outcome]) -> Outcome:
        try:
            server = self._open()
        except (OSError, smtplib.SMTPException) as error:
            return _not_connected(error)
        try:
            return act(server)
        finally:
            server.close()

    def _open(self) -> smtplib.SMTP:
        if self._tls:
            context = ssl.create_default_context()
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self._host, self._port, timeout=self._timeout, context=context
            )
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=self._timeout)
        try:
            if self._starttls and not self._tls:
                server.starttls(context=ssl.create_default_context())
            if self._user:
                server.login(self._user, self._password)
        except BaseException:
            server.close()
            raise
        return server


def _not_connected(error: Exception) -> Outcome:
    if isinstance(error, smtplib.SMTPAuthenticationError) and error.smtp_code >= 500:
        return AccountProblem(
            f"SMTP_URL: the server refuses the user or password ({error.smtp_code})"
        )
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return AccountProblem(
            "SMTP_URL: the server cannot do what is asked: STARTTLS (?starttls=false switches it"
            " off) or a login"
        )
    if isinstance(error, ssl.SSLError):
        return AccountProblem(f"SMTP_URL: TLS failed ({error.reason})")
    code = f" {error.smtp_code}" if isinstance(error, smtplib.SMTPResponseException) else ""
    return Deferred(f"SMTP_URL: no connection ({type(error).__name__}{code})")


def _submit(server: smtplib.SMTP, message: EmailMessage, to: str) -> Outcome:
    """Stage by stage: which of them failed says whether the message can have been accepted."""
    try:
        refusal = _envelope(server, message["From"].addresses[0].addr_spec, to)
    except (OSError, smtplib.SMTPException) as error:
        return Deferred(f"the connection was lost before the message ({type(error).__name__})")
    if refusal is not None:
        return refusal
    try:
        body = message.as_bytes(policy=message.policy.clone(linesep="\r\n"))
        dotted = body.replace(b"\r\n.", b"\r\n..")
        server.send(dotted + (b"" if dotted.endswith(b"\r\n") else b"\r\n") + b".\r\n")
        code, _ = server.getreply()
    except (OSError, smtplib.SMTPException) as error:
        return Unknown(f"the connection was lost after the message ({type(error).__name__})")
    refused = Refused(f"the server refuses the message ({code})")
    return Accepted() if code == 250 else _answer(code, refused)


def _envelope(server: smtplib.SMTP, sender: str, to: str) -> Outcome | None:
    """From, to, and permission to submit the message; None when it was given."""
    server.ehlo_or_helo_if_needed()
    code, _ = server.mail(sender)
    if code != 250:
        return _answer(code, AccountProblem(f"EMAIL_FROM: the server refuses it ({code})"))
    code, _ = server.rcpt(to)
    if code not in (250, 251):
        return _answer(code, Refused(f"the server refuses the address ({code})"))
    code, _ = server.docmd("DATA")
    if code != 354:
        return _answer(code, Refused(f"the server refuses the message ({code})"))
    return None


def _answer(code: int, for_good: Outcome) -> Outcome:
    return for_good if code >= 500 else Deferred(f"the server asks to try later ({code})")
