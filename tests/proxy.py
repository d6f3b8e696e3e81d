"""A small TCP proxy before a database that can cut a connection while COMMIT is on its way."""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Lock, Thread
from typing import Self


class Proxy:
    """Forwards bytes between clients and a database server, until `cut` is set.

    Attributes:
        cut: what to do with the next COMMIT: `response` sends it to the server and drops the response, `request` does not send
            it. Done once; then None again.
        closed: refuse new connections, as if the network were down.
        frozen: forward nothing and keep all connections, as a frozen pooler, whose kernel acknowledges all bytes.
        cuts: number of COMMITs that were cut.
    """

    def __init__(self, host: str, port: int) -> None:
        self.cut: str | None = None
        self.closed = False
        self.frozen = False
        self.cuts = 0
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._threads: list[Thread] = []
        self._lock = Lock()
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            open_now = list(self._open)
        self._close(*open_now)
        for thread in list(self._threads):
            thread.join(10)

    def _start(self, work: object, *arguments: object) -> None:
        thread = Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                if self.closed:
                    client.close()
                    continue
                server = socket.create_connection(self._target)
                with self._lock:
                    self._open |= {client, server}
                self._start(self._requests, client, server)
                self._start(self._responses, client, server)

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if self.frozen:
                    continue
                if self.cut == "request" and b"COMMIT" in data:
                    self.cut, self.cuts = None, self.cuts + 1
                    break
                if self.cut == "response" and b"COMMIT" in data:
                    self.cut = "swallow"
                server.sendall(data)
        self._close(client, server)

    def _responses(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if self.frozen:
                    continue
                if self.cut == "swallow":  # the server answers a COMMIT when it is done
                    self.cut, self.cuts = None, self.cuts + 1
                    break
                client.sendall(data)
        self._close(client, server)

    def _close(self, *connections: socket.socket) -> None:
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
            with self._lock:
                self._open.discard(connection)
