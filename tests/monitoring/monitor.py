"""A monitoring service on loopback that records the pings that it receives."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Monitor(ThreadingHTTPServer):
    """Answer every ping with a status, after `before_answer` has returned."""

    daemon_threads = True

    def __init__(self, status: int, before_answer: Callable[[], object]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.before_answer = status, before_answer
        self.pings: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        """Address, without a path."""
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that has closed the connection."""


class _Handler(BaseHTTPRequestHandler):
    server: Monitor

    def do_POST(self) -> None:
        self.server.pings.append((self.path, self.rfile.read(int(self.headers["Content-Length"])).decode()))
        self.server.before_answer()
        self.send_response(self.server.status)
        self.send_header("Location", self.server.url + "/elsewhere")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"OK")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class named it
        pass


@contextmanager
def monitor(status: int = 200, before_answer: Callable[[], object] = lambda: None) -> Iterator[Monitor]:
    """Serve pings while the block runs."""
    with Monitor(status, before_answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
