"""A proxy between the product and PostgreSQL that cuts connections before or after a commit.

    proxy.cut(CLAIM, "after")              once, at the next commit that CLAIM matches
    proxy.cut(CLAIM, "before", also=act)   calls `act` at that instant
    proxy.down(), proxy.heal()             every connection is cut and none accepted, until `heal`

It parses PostgreSQL's protocol just enough to find the end of a statement. A commit is a COMMIT, or
a statement outside a transaction; a pattern is matched against all of its statements. "After" means
that the server has committed and the client gets no answer.
"""

import re
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

Moment = Literal["before", "after"]
_LONGEST_PAUSE_SECONDS = 10
# Through a pooler each transaction begins with these settings. They are not part of a commit.
_SETTINGS = "leaseup.run_id"


@dataclass
class Interruption:
    """What happens once, at the next matching commit after `skip` others."""

    pattern: re.Pattern[str]
    moment: Moment
    also: Callable[[], None]
    skip: int
    reached: threading.Event
    pause: threading.Event | None = None


class PostgresProxy:
    """A proxy on loopback, in front of PostgreSQL's socket or a pooler's port."""

    def __init__(self, upstream: Path | int) -> None:
        self._upstream = upstream
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        self._ending: list[threading.Thread] = []
        self._cuts: list[Interruption] = []
        self._is_down = False
        self.orphans: set[int] = set()
        """PIDs of backends whose client was cut off. They end a little later."""
        self.commits: list[str] = []
        """The statements of every commit since the last `heal`, also of those that were cut."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def url(self, database: str) -> str:
        """The URL of a database through this proxy."""
        return (
            f"postgresql://postgres@127.0.0.1:{self.port}/{database}"
            "?sslmode=disable&gssencmode=disable"
        )

    def cut(
        self, pattern: str, moment: Moment, *, also: Callable[[], None] = lambda: None,
        skip: int = 0,
    ) -> Interruption:  # fmt: skip
        """Cut the connection at a commit that `pattern` matches, after `skip` other matches."""
        return self._add(
            Interruption(re.compile(pattern, re.S), moment, also, skip, threading.Event())
        )

    def pause(self, pattern: str) -> Interruption:
        """Hold back the answer to the next matching commit, until its `pause` is set."""
        paused = Interruption(
            re.compile(pattern, re.S), "after", lambda: None, 0, threading.Event()
        )
        paused.pause = threading.Event()
        return self._add(paused)

    def down(self, *, also: Callable[[], None] = lambda: None) -> None:
        """Cut every connection and accept none; `also` is called before any client can notice."""
        with self._lock:
            self._is_down = True
        also()
        with self._lock:
            connected = list(self._open)
            self._ending += self._open.values()
        for one in connected:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def heal(self) -> None:
        """Remove every cut, accept connections again, and continue what is paused."""
        for thread in self._ending:  # what they forwarded may not be processed yet
            thread.join(5)
        with self._lock:
            self._is_down = False
            self._ending.clear()
            for cut in self._cuts:
                if cut.pause:
                    cut.pause.set()
            self._cuts.clear()
            self.commits = []

    def close(self) -> None:
        """Cut every connection and stop listening."""
        self.down()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(5)

    def _add(self, cut: Interruption) -> Interruption:
        with self._lock:
            self._cuts.append(cut)
        return cut

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        pooled = isinstance(self._upstream, int)
        with client, socket.socket(socket.AF_INET if pooled else socket.AF_UNIX) as server:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                if self._is_down:
                    return
                self._open[client] = threading.current_thread()
            session = _Session(client, server)
            try:
                server.connect(
                    ("127.0.0.1", self._upstream)
                    if isinstance(self._upstream, int)
                    else str(self._upstream / ".s.PGSQL.5432")
                )
                session.begin()
                while self._forward(session):
                    pass
            except (OSError, EOFError):
                pass
            finally:
                with self._lock:
                    self._open.pop(client, None)
                    if not session.has_terminated:
                        self.orphans.add(session.pid)

    def _forward(self, session: "_Session") -> bool:
        """Pass on one request and its answer. False when the connection is to be closed."""
        request = session.read_request()
        cut = self._find(session.commit()) if request else None
        if request is None or (cut and cut.moment == "before"):
            return self._interrupt(cut)
        if self._is_down:
            return False
        session.server.sendall(request)
        answer = session.read_answer()
        if cut and not self._interrupt(cut):
            return False
        session.client.sendall(answer)
        return True

    def _interrupt(self, cut: Interruption | None) -> bool:
        """Whether the connection continues."""
        if cut is None:
            return False
        cut.also()
        cut.reached.set()
        return cut.pause is not None and cut.pause.wait(_LONGEST_PAUSE_SECONDS)

    def _find(self, commit: str | None) -> Interruption | None:
        if commit is None:
            return None
        with self._lock:
            self.commits.append(commit)
            for cut in self._cuts:
                if not cut.pattern.search(commit):
                    continue
                if cut.skip == 0:
                    self._cuts.remove(cut)
                    return cut
                cut.skip -= 1
        return None


class _Session:
    """One connection, message by message."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self._requests, self._answers = client.makefile("rb"), server.makefile("rb")
        self.pid = 0
        self.has_terminated = False
        self._transaction: list[str] | None = None
        self._text = ""

    def begin(self) -> None:
        """Pass on the start-up message and its answer."""
        size = _exactly(self._requests, 4)
        self.server.sendall(size + _exactly(self._requests, struct.unpack("!i", size)[0] - 4))
        self.client.sendall(self.read_answer())

    def read_request(self) -> bytes | None:
        """All messages up to the one that the server answers; None when the client terminates."""
        request, self._text = b"", ""
        while True:
            kind, body = _message(self._requests)
            if kind == b"X":
                self.has_terminated = True
                return None
            request += kind + struct.pack("!i", len(body) + 4) + body
            if kind in (b"P", b"B", b"Q"):
                self._text += body.replace(b"\0", b" ").decode("utf-8", "replace")
            if kind in (b"S", b"Q"):
                return request

    def commit(self) -> str | None:
        """The statements that the request commits, or None."""
        verb = self._text.strip().partition(" ")[0].rstrip(";").upper()
        if verb in ("BEGIN", "ROLLBACK"):
            self._transaction = [] if verb == "BEGIN" else None
            return None
        if verb == "COMMIT":
            statements, self._transaction = self._transaction or [], None
            return " ; ".join(statements)
        if self._transaction is not None:
            if _SETTINGS not in self._text:
                self._transaction.append(self._text)
            return None
        return self._text

    def read_answer(self) -> bytes:
        """All messages up to the one that says that the server is ready."""
        answer = b""
        while True:
            kind, body = _message(self._answers)
            answer += kind + struct.pack("!i", len(body) + 4) + body
            if kind == b"K":
                self.pid = struct.unpack("!i", body[:4])[0]
            if kind == b"Z":
                return answer


def _message(peer: BinaryIO) -> tuple[bytes, bytes]:
    head = _exactly(peer, 5)
    return head[:1], _exactly(peer, struct.unpack("!i", head[1:])[0] - 4)


def _exactly(peer: BinaryIO, size: int) -> bytes:
    found = peer.read(size)
    if len(found) < size:
        raise EOFError
    return found
