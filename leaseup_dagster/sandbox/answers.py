"""How a stand-in answers: whole, begun and broken off, or not at all."""

import asyncio

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from leaseup_dagster.sandbox.faults import Fault, Reply

_POLL_SECONDS = 0.005


async def silence(fault: Fault) -> bool:
    """Say nothing until released; whether the connection shall be cut then."""
    fault.arrived.set()
    while not fault.released.is_set():
        await asyncio.sleep(_POLL_SECONDS)
    return fault.abandoned


async def answer(reply: Reply, scope: Scope, receive: Receive, send: Send) -> None:
    """The whole of `reply`."""
    await Response(reply.body, reply.status, dict(reply.headers))(scope, receive, send)


async def begin_an_answer(send: Send, status: int, body: bytes) -> None:
    """The first bytes of an answer that promises more of them."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": True})
