"""The wire between the product and PostgreSQL, to be cut before or after a commit.

    wire.cut(MARK, "after")              once, when what MARK matches is about to be committed
    wire.cut(MARK, "before", also=act)   `act` happens at that instant
    wire.down(), wire.up()               nobody is connected, nobody gets in

It speaks PostgreSQL's protocol, as far as one needs to know where a statement ends. A commit is
a COMMIT, or a statement outside a transaction; it is named by all that it carries. "After" means
that the server has done it and the caller never hears so.
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
# Through a pooler each transaction begins with them: they are not what it commits.
_SETTINGS = "leaseup.run_id"


@dataclass
class Cut:
    """What happens once, at the next commit but `skip`."""

    pattern: re.Pattern[str]
    moment: Moment
    also: Callable[[], None]
    skip: int
    reached: threading.Event
    pause: threading.Event | None = None


class Wire:
    """A server on loopback in front of PostgreSQL's socket, or of a pooler's port."""

    def __init__(self, upstream: Path | int) -> None:
        self._upstream = upstream
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        self._ending: list[threading.Thread] = []
        self._cuts: list[Cut] = []
        self._is_down = False
        self.orphans: set[int] = set()
        """Backends whose client was cut off: they end by themselves, a little later."""
        self.commits: list[str] = []
        """What was committed, or was about to be, since the last `heal`."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def url(self, database: str) -> str:
        return (
            f"postgresql://postgres@127.0.0.1:{self.port}/{database}"
            "?sslmode=disable&gssencmode=disable"
        )

    def cut(
        self, pattern: str, moment: Moment, *, also: Callable[[], None] = lambda: None,
        skip: int = 0,
    ) -> Cut:  # fmt: skip
        """Cut off who commits what `pattern` matches, when that was done `skip` times."""
        return self._add(Cut(re.compile(pattern, re.S), moment, also, skip, threading.Event()))

    def pause(self, pattern: str) -> Cut:
        """Keep from whoever commits it that it was done, until its `pause` is set."""
        held = Cut(re.compile(pattern, re.S), "after", lambda: None, 0, threading.Event())
        held.pause = threading.Event()
        return self._add(held)

    def down(self, *, also: Callable[[], None] = lambda: None) -> None:
        """Nobody gets through any more; `also` happens before anybody can notice."""
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
        """Everything as it should be; who still waits goes on."""
        for thread in self._ending:  # what they had sent on may still be under way
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
        self.down()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(5)

    def _add(self, cut: Cut) -> Cut:
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
                while self._is_carried(session):
                    pass
            except (OSError, EOFError):
                pass
            finally:
                with self._lock:
                    self._open.pop(client, None)
                    if not session.said_goodbye:
                        self.orphans.add(session.pid)

    def _is_carried(self, session: "_Session") -> bool:
        """One request and its answer; False when the connection is over."""
        request = session.read_request()
        cut = self._find(session.commit()) if request else None
        if request is None or (cut and cut.moment == "before"):
            return self._do(cut)
        if self._is_down:
            return False
        session.server.sendall(request)
        answer = session.read_answer()
        if cut and not self._do(cut):
            return False
        session.client.sendall(answer)
        return True

    def _do(self, cut: Cut | None) -> bool:
        """Whether the connection lives on."""
        if cut is None:
            return False
        cut.also()
        cut.reached.set()
        return cut.pause is not None and cut.pause.wait(_LONGEST_PAUSE_SECONDS)

    def _find(self, commit: str | None) -> Cut | None:
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
    """One connection: what the client asks, what the server answers, message by message."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self._asked, self._answered = client.makefile("rb"), server.makefile("rb")
        self.pid = 0
        self.said_goodbye = False
        self._transaction: list[str] | None = None
        self._text = ""

    def begin(self) -> None:
        size = _exactly(self._asked, 4)
        self.server.sendall(size + _exactly(self._asked, struct.unpack("!i", size)[0] - 4))
        self.client.sendall(self.read_answer())

    def read_request(self) -> bytes | None:
        """All messages up to the one after which the server answers; None: goodbye."""
        request, self._text = b"", ""
        while True:
            kind, body = _message(self._asked)
            if kind == b"X":
                self.said_goodbye = True
                return None
            request += kind + struct.pack("!i", len(body) + 4) + body
            if kind in (b"P", b"B", b"Q"):
                self._text += body.replace(b"\0", b" ").decode("utf-8", "replace")
            if kind in (b"S", b"Q"):
                return request

    def commit(self) -> str | None:
        """What the request commits, if it commits anything."""
        verb = self._text.strip().partition(" ")[0].rstrip(";").upper()
        if verb in ("BEGIN", "ROLLBACK"):
            self._transaction = [] if verb == "BEGIN" else None
            return None
        if verb == "COMMIT":
            carried, self._transaction = self._transaction or [], None
            return " ; ".join(carried)
        if self._transaction is not None:
            if _SETTINGS not in self._text:
                self._transaction.append(self._text)
            return None
        return self._text

    def read_answer(self) -> bytes:
        answer = b""
        while True:
            kind, body = _message(self._answered)
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
