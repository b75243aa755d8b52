"""An ASGI app on 127.0.0.1, served by a thread, whose connections can be cut in mid-request."""

import asyncio
import signal
import socket
import struct
import threading
from types import FrameType
from typing import Any, TypeVar

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

_START_SECONDS = 10.0
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time to linger: closing sends a TCP reset

Self = TypeVar("Self", bound="Loopback")


class Loopback:
    """Serves `app` inside a `with` block, or between `start` and `stop`; it can be started again.

    Port 0 takes a free port. The port is bound at once and kept, so `url` is known and the same
    before, during and after; while it is stopped, connections are refused.
    """

    def __init__(self, app: Any, port: int = 0) -> None:
        self._app = app
        self._socket: socket.socket | None = _bound(port)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.connections = 0
        """How many TCP connections were accepted so far."""
        self._open: dict[tuple[str, int], asyncio.Transport] = {}

    def start(self) -> None:
        """Listen; returns when connections are answered."""
        self._socket = self._socket or _bound(self.port)
        self._server = _Server(self._app, self)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name=f"loopback-{self.port}"
        )
        self._thread.start()
        if not self._server.serving.wait(_START_SECONDS):
            raise RuntimeError(f"{self.url} did not start within {_START_SECONDS:g} seconds")

    def stop(self) -> None:
        """Cut every connection and stop listening. Safe to call twice."""
        if self._socket is None:
            return
        self._server.leave()
        self._thread.join()
        self._socket.close()
        self._socket = None

    def __enter__(self: Self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def cut(self, scope: Any, *, reset: bool = False) -> None:
        """Close the connection of an ASGI `scope` without an answer; from within the app."""
        transport = self._open.get(tuple(scope["client"]))
        if transport is None:  # the caller gave up first
            return
        if reset:
            transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, _RESET
            )
        transport.abort()

    def cut_all(self) -> None:
        for transport in list(self._open.values()):
            transport.abort()

    def opened(self, transport: asyncio.Transport) -> None:
        self.connections += 1
        self._open[transport.get_extra_info("peername")] = transport

    def closed(self, transport: asyncio.Transport) -> None:
        self._open.pop(transport.get_extra_info("peername"), None)


class _Server(uvicorn.Server):
    """Uvicorn's server, except that it stops at once: uvicorn checks ten times a second."""

    def __init__(self, app: Any, loopback: Loopback) -> None:
        class Connection(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                loopback.opened(transport)

            def connection_lost(self, exc: Exception | None) -> None:
                loopback.closed(self.transport)
                super().connection_lost(exc)

        config = uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            interface="asgi3",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
        )
        super().__init__(config)
        self._loopback = loopback
        self.serving = threading.Event()

    def leave(self) -> None:
        self._loop.call_soon_threadsafe(self._left.set)

    async def main_loop(self) -> None:
        self._loop, self._left = asyncio.get_running_loop(), asyncio.Event()
        self.serving.set()
        await self._left.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        self._loopback.cut_all()
        await asyncio.gather(*self.server_state.tasks)


def until_stopped() -> None:
    """Wait for Ctrl-C or SIGTERM; for a stand-in that is a process of its own."""
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    # Waking up often: a main thread that waits for good can sleep through a signal.
    while not stopped.wait(0.2):
        pass


def _bound(port: int) -> socket.socket:
    # Named TCP, or asyncio would not switch off the delay of small packets.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound
