"""A server on loopback that sends JSON, with one write for each response, and ignores clients that disconnect."""

from __future__ import annotations

import json
import re
import socket
import sys
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING, Any

from sync.sandbox.responses import envelope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sync.recording.replay import RecordedResponse

HOST = "127.0.0.1"


class LoopbackServer(ThreadingTCPServer):
    """Holds its open connections. Several servers can share a port with `share_port`."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, handler: type[JsonHandler], *, share_port: bool = False) -> None:
        self.allow_reuse_port = share_port
        self._open: set[socket.socket] = set()
        super().__init__((HOST, port), handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Handle the requests of a connection in a thread."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Close the connections that clients keep alive, which ends their threads."""
        for connection in tuple(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print an error, unless the client disconnected: the only I/O of a handler is its connection."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class JsonHandler(BaseHTTPRequestHandler):
    """Handles the requests of one connection; a subclass has a method for each HTTP method."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 18  # larger than a page, so that headers and body are sent together

    def read_body(self) -> bytes | None:
        """Read the body, also if it is not used, so that it is not parsed as the next request; None if it is too long."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not re.fullmatch(r"[0-9]{1,5}", length):
            self.close_connection = True
            return None
        return self.rfile.read(int(length))

    def send(self, answer: dict[str, Any]) -> None:
        """Send a response of the API; its code is the status."""
        body = json.dumps(answer, ensure_ascii=False).encode()
        self.send_bytes(answer.get("code", HTTPStatus.OK), {"Content-Type": "application/json; charset=utf-8"}, body)

    def send_bytes(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Send a response; to a HEAD request without its body."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_recorded(self, answer: RecordedResponse) -> None:
        """Send a recorded response; if it was incomplete, close the connection at the same place."""
        if answer.status is None:
            self.close_connection = True
            return
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            # The recording contains the decompressed body.
            if name != "content-length" and (name, value.strip().lower()) != ("content-encoding", "gzip"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(answer.body) + bool(answer.trouble)))
        if answer.trouble:
            self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(answer.body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Send an error of the HTTP parser, or for an unknown method, as JSON."""
        self.close_connection = True  # the following bytes may not be a request
        code = 405 if code == HTTPStatus.NOT_IMPLEMENTED else int(code)
        self.send(envelope(code, message or explain or HTTPStatus(code).phrase))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class named it
        """Write no access log."""
