"""A small connection pooler on a unix socket, for tests: what PgBouncer does to a session, without PgBouncer.

A client's own process id is made up, as PgBouncer makes one up. In transaction mode a server connection goes back
to the pool when its transaction ends; in session mode a client keeps its own.
"""

from __future__ import annotations

import itertools
import select
import shutil
import socket
import struct
import tempfile
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import Literal

_READY = b"Z"
_KEY = b"K"
_TERMINATE = b"X"


class Pooler(AbstractContextManager["Pooler"]):
    """Serves `folder` as a socket folder in front of the server's socket.

    With `alternating` the connection that was idle for longest is used next and two are kept, so that following
    transactions never meet the same server process.
    """

    def __init__(
        self, server: Path, mode: Literal["transaction", "session"] = "transaction", alternating: bool = False
    ) -> None:
        self.server = server
        self.mode = mode
        self.alternating = alternating
        self.folder = Path(tempfile.mkdtemp(prefix="pooler-"))
        self._idle: dict[bytes, list[tuple[socket.socket, bytes]]] = {}
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._ids = itertools.count(1_000_000_000)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.folder / ".s.PGSQL.5432"))
        self._listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, database: str, user: str = "postgres") -> str:
        """The libpq URL of a database through the pooler."""
        return f"postgresql:///{database}?host={self.folder}&user={user}"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        shutil.rmtree(self.folder)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError):
            startup = client.recv(65_536)
            server = self._take(startup)
            hello = b"".join(self._with_own_id(kind, body) for kind, body in _messages(server[1]))
            if self.mode == "transaction":
                self._give(startup, server)
            client.sendall(hello)
            in_transaction = False
            while (request := client.recv(65_536)) and not request.startswith(_TERMINATE):
                if self.mode == "transaction" and not in_transaction:
                    server = self._take(startup)
                server[0].sendall(request)
                in_transaction = self._relay(client, server[0])
                if self.mode == "transaction" and not in_transaction:
                    self._give(startup, server)

    def _take(self, startup: bytes) -> tuple[socket.socket, bytes]:
        with self._lock:
            idle = self._idle.setdefault(startup, [])
            if idle and not (self.alternating and len(idle) < 2):
                return idle.pop(0 if self.alternating else -1)
        server = socket.socket(socket.AF_UNIX)
        self._sockets.append(server)
        server.connect(str(self.server))
        server.sendall(startup)
        hello = b""
        while not hello.endswith(b"Z\x00\x00\x00\x05I"):
            hello += server.recv(65_536)
        return server, hello

    def _give(self, startup: bytes, server: tuple[socket.socket, bytes]) -> None:
        with self._lock:
            self._idle[startup].append(server)

    def _with_own_id(self, kind: bytes, body: bytes) -> bytes:
        if kind == _KEY:
            body = struct.pack("!i", next(self._ids)) + body[4:]
        return kind + struct.pack("!i", len(body) + 4) + body

    def _relay(self, client: socket.socket, server: socket.socket) -> bool:
        """Passes everything on until the server waits for the next request; whether a transaction is open then."""
        unread = b""
        while True:
            for one in select.select([client, server], [], [])[0]:
                data = one.recv(65_536)
                if not data:
                    raise ConnectionError
                if one is client:
                    server.sendall(data)
                    continue
                client.sendall(data)
                unread += data
                messages = list(_messages(unread))
                unread = unread[sum(5 + len(body) for _, body in messages) :]
                if messages and not unread and messages[-1][0] == _READY:
                    return messages[-1][1] != b"I"


def _messages(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The complete messages: kind and body."""
    while len(data) >= 5:
        (length,) = struct.unpack("!i", data[1:5])
        if len(data) < 1 + length:
            return
        yield data[:1], data[5 : 1 + length]
        data = data[1 + length :]
