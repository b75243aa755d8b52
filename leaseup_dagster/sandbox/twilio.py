"""A stateful stand-in for Twilio's Messages API over real HTTP, with faults to order.

    with TwilioStandIn() as twilio:
        twilio.faults.on(SEND, Fault.drop_after_accepting())
        twilio.refuse("+27821234567", 21610)
        ...
        twilio.texts_to("+27821234567")

As a process of its own: `python -m leaseup_dagster.sandbox.twilio --port 8812`. There, and
everywhere, `GET /_sandbox/messages` tells what was sent.
"""

import argparse
import asyncio
import base64
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from leaseup_dagster.sandbox.answers import answer, begin_an_answer, silence
from leaseup_dagster.sandbox.faults import Ending, Fault, Faults, Reply
from leaseup_dagster.sandbox.loopback import Loopback, until_stopped

ACCOUNT, TOKEN = "AC" + "0" * 32, "sandbox-token"
SEND, LIST = "POST /Messages.json", "GET /Messages.json"
FETCH = "GET /Messages/:sid.json"
_PATH = re.compile(r".*/2010-04-01/Accounts/(?P<account>\w+)/Messages(/(?P<sid>\w+))?\.json")


@dataclass
class StoredMessage:
    """A text that was accepted. `hidden_for` is how many listings will not show it yet."""

    to: str
    sender: str
    body: str
    validity_seconds: int
    sid: str = field(default_factory=lambda: "SM" + secrets.token_hex(16))
    status: str = "queued"
    error_code: int | None = None
    created_at: datetime = field(default_factory=lambda: datetime.now(tz=timezone.utc))
    hidden_for: int = 0

    def wording(self) -> dict[str, Any]:
        created = format_datetime(self.created_at)
        return {
            "sid": self.sid,
            "account_sid": ACCOUNT,
            "to": self.to,
            "from": self.sender,
            "body": self.body,
            "status": self.status,
            "direction": "outbound-api",
            "num_segments": "1",
            "num_media": "0",
            "price": None,
            "price_unit": "USD",
            "error_code": self.error_code,
            "error_message": None,
            "date_created": created,
            "date_updated": created,
            "date_sent": None,
            "messaging_service_sid": None,
            "api_version": "2010-04-01",
            "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{self.sid}.json",
            "subresource_uris": {},
        }


def error(status: int, code: int, **headers: str) -> Reply:
    """An error as Twilio words it; its messages do quote the number."""
    said = {
        "code": code,
        "message": "Invalid 'To' Phone Number: +27821234567",
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return Reply.of(status, said, {name.replace("_", "-"): text for name, text in headers.items()})


class TwilioStandIn(Loopback):
    """One Twilio account. It keeps its messages when it is stopped and started.

    `keys` are the user names and secrets it lets in. `hide_new` is how many listings a new
    message is missing from. All may be changed at any time, from any thread.
    """

    def __init__(self, *, latency_seconds: float = 0.0, port: int = 0) -> None:
        super().__init__(self._serve, port)
        self.faults = Faults()
        self.keys = {ACCOUNT: TOKEN}
        self.messages: list[StoredMessage] = []
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.hide_new = 0
        self.most_at_once = 0
        self._at_once = 0
        self._latency_seconds = latency_seconds
        self._refused: dict[str, Reply] = {}

    def refuse(self, number: str, code: int, status: int = 400) -> None:
        """From now on texts to `number` are refused: 21610 opted out, 21614 not a mobile."""
        self._refused[number] = error(status, code)

    def accept(self, number: str) -> None:
        """Texts to `number` are accepted again, as after START."""
        self._refused.pop(number, None)

    def texts_to(self, number: str) -> list[str]:
        return [message.body for message in self.messages if message.to == number]

    def requests_to(self, endpoint: str) -> list[dict[str, str]]:
        """The form or the query of what arrived, answered or not."""
        return [form for name, form in list(self.requests) if name == endpoint]

    def stop(self) -> None:
        self.faults.clear()
        super().stop()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            raw = (await request.body()).decode()
        except ClientDisconnect:
            return
        if request.url.path == "/_sandbox/messages":
            said = Reply.of(200, {"messages": [m.wording() for m in self.messages]})
            await answer(said, scope, receive, send)
            return
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        ending = await self._deal_with(request, raw)
        self._at_once -= 1
        if isinstance(ending, Reply):
            await answer(ending, scope, receive, send)
            return
        if ending == "cut midway":
            await begin_an_answer(send, 201, b'{"sid": "SM')
        self.cut(scope, reset=ending == "reset")
        await receive()

    async def _deal_with(self, request: Request, raw: str) -> Ending:
        path = _PATH.fullmatch(request.url.path)
        endpoint = FETCH if path and path["sid"] else f"{request.method} /Messages.json"
        form = {name: values[0] for name, values in parse_qs(raw or request.url.query).items()}
        self.requests.append((endpoint, form))
        fault = self.faults.take(endpoint, raw or request.url.query) or Fault()
        await asyncio.sleep(self._latency_seconds)
        if fault.hangs == "before" and await silence(fault):
            return "cut"
        reply = self._answer(request, form) if fault.accepts else Reply.of(500, {})
        if fault.hangs == "after" and await silence(fault):
            return "cut"
        fault.arrived.set()
        return fault.ending(reply)

    def _answer(self, request: Request, form: dict[str, str]) -> Reply:
        path = _PATH.fullmatch(request.url.path)
        if path is None or path["account"] != ACCOUNT:
            return error(404, 20404)
        if not self._let_in(request.headers.get("authorization", "")):
            return error(401, 20003)
        if path["sid"]:
            return self._fetch(path["sid"])
        return self._create(form) if request.method == "POST" else self._list(form)

    def _let_in(self, authorization: str) -> bool:
        pairs = (f"{user}:{secret}".encode() for user, secret in self.keys.items())
        return authorization in {f"Basic {base64.b64encode(pair).decode()}" for pair in pairs}

    def _fetch(self, sid: str) -> Reply:
        found = [message.wording() for message in self.messages if message.sid == sid]
        return Reply.of(200, found[0]) if found else error(404, 20404)

    def _create(self, form: dict[str, str]) -> Reply:
        to = form.get("To", "")
        if to in self._refused:
            return self._refused[to]
        if not re.fullmatch(r"\+\d{8,15}", to):
            return error(400, 21211)
        if not form.get("Body"):
            return error(400, 21602)
        message = StoredMessage(
            to=to,
            sender=form.get("From", ""),
            body=form["Body"],
            validity_seconds=int(form.get("ValidityPeriod", "36000")),
            hidden_for=self.hide_new,
        )
        self.messages.append(message)
        return Reply.of(201, message.wording())

    def _list(self, form: dict[str, str]) -> Reply:
        found = [m for m in reversed(self.messages) if form.get("To") in (None, m.to)]
        shown = [message for message in found if message.hidden_for == 0]
        for message in found:
            message.hidden_for = max(0, message.hidden_for - 1)
        size = int(form.get("PageSize", "50"))
        page = [message.wording() for message in shown[:size]]
        about = {"page": 0, "page_size": size, "next_page_uri": None, "uri": "", "start": 0}
        return Reply.of(200, {"messages": page, **about})


def main() -> None:
    parser = argparse.ArgumentParser(description="A stand-in for Twilio on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=8812)
    parser.add_argument("--latency-ms", type=float, default=0)
    given = parser.parse_args()
    with TwilioStandIn(latency_seconds=given.latency_ms / 1000, port=given.port) as twilio:
        print(f"Twilio's stand-in is on {twilio.url}: {ACCOUNT}, {TOKEN}", flush=True)
        until_stopped()


if __name__ == "__main__":
    main()
