"""A server behind TLS, and a proxy before it, both scripted, on loopback."""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import suppress
from itertools import chain, repeat
from threading import Thread
from typing import TYPE_CHECKING

from tests.hostile import Hostile, read_head, success

if TYPE_CHECKING:
    from pathlib import Path

    from tests.hostile import Script


class OverTls(Hostile):
    """The scripted server behind TLS; the name in its URL is localhost."""

    def __init__(self, script: Script, certificate: Path) -> None:
        super().__init__(script)
        self.url = self.url.replace("http://127.0.0.1", "https://localhost")
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.set_alpn_protocols(["h2", "http/1.1"])
        self._tls.load_cert_chain(certificate)
        self.agreed: list[str | None] = []

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):
            wrapped = self._tls.wrap_socket(connection, server_side=True)
            self.agreed.append(wrapped.selected_alpn_protocol())
            super()._serve(wrapped)


class Tunnels(Hostile):
    """A proxy that opens a tunnel to one server, for every requested name.

    Args:
        target: the server's port.
        answer: sent instead of opening a tunnel; b"" sends nothing.
        closes: end the connection after that.
        certificate: the proxy itself is behind TLS.
        drips: after the answer, send a TLS record, one byte every 50 ms.

    Attributes:
        heads: of the requests.
    """

    def __init__(
        self,
        target: int,
        answer: bytes | None = None,
        *,
        closes: bool = False,
        certificate: Path | None = None,
        drips: bool = False,
    ) -> None:
        super().__init__(lambda _request: success([]))
        self.heads: list[str] = []
        self._target, self._answer, self._closes, self._drips = target, answer, closes, drips
        self._tls: ssl.SSLContext | None = None
        if certificate is not None:
            self.url = self.url.replace("http://127.0.0.1", "https://localhost")
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)

    def _serve(self, connection: socket.socket) -> None:
        if self._tls is not None:
            connection = self._tls.wrap_socket(connection, server_side=True)
        with connection, suppress(OSError):
            self.heads.append(read_head(connection).decode())
            if self._answer is None:
                with socket.create_connection(("127.0.0.1", self._target)) as server:
                    connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    back = Thread(target=_pass_on, args=(server, connection))
                    back.start()
                    _pass_on(connection, server)
                    back.join()
            else:
                connection.sendall(self._answer)
                for byte in chain(b"\x16\x03\x03\x40\x00", repeat(0)) if self._drips else ():
                    time.sleep(0.05)
                    connection.sendall(bytes([byte]))
                if not self._closes:
                    connection.recv(1)  # until the client gives up
        self._open.discard(connection)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)
