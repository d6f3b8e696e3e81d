"""Serve `/livez`, `/readyz` and `/metrics` over HTTP, read-only.

Facts in the metrics are read from the database at a scrape, because another process may have made the last run.
"""

from __future__ import annotations

import errno
import math
import socket
import socketserver
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from sync.config.addresses import LOOPBACK, is_loopback_name
from sync.config.resource_limits import resource_error
from sync.errors import ConfigurationError, SyncError
from sync.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from sync.monitoring.metrics import Metrics
    from sync.reader.status import Overview

    Check = Callable[[], tuple[bool, str]]

KEEP_SECONDS = 3.0
"""Seconds for which facts are served before the database is queried again, so that several scrapers cost one query."""
QUERY_LIMIT = 3.0
"""Maximum wait of a scrape for the database, in seconds; less than the timeout of a request."""
_LIMIT = 5.0  # seconds for one request
_PLAIN = "text/plain; charset=utf-8"
_EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


class Probes(ThreadingHTTPServer):
    """A small HTTP server with a thread per request, each ended when its time is over.

    Python's own timeout is for each read, so a client that sends one byte now and then would keep a thread for hours.
    """

    def __init__(
        self, host: str, port: int, *, live: Check, ready: Check, metrics: Callable[[], bytes], limit: float = _LIMIT
    ) -> None:
        """Listen; raise ConfigurationError if the port is in use or not permitted, or the host is not local.

        Args:
            host: a local address.
            port: 0 for any free port.
            live: returns whether the scheduler works, and one line; called in the thread of a request, like the next two.
            ready: returns whether a run could work, and one line.
            metrics: returns the metrics in Prometheus's text format.
            limit: timeout of a request in seconds.
        """
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._host = host
        self._checks = {"/livez": live, "/readyz": ready}
        self._metrics = metrics
        self._limit = limit
        self._ends: dict[socket.socket, float] = {}
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            variable = "SYNC_HTTP_PORT" if error.errno in {errno.EADDRINUSE, errno.EACCES} else "SYNC_HTTP_HOST"
            reason = error.strerror or type(error).__name__
            raise ConfigurationError([f"{variable}: cannot listen on {host} port {port}: {reason}."]) from None
        self.port = self.server_address[1]
        # The argument is the interval of checks for requests that timed out and for the stop.
        self._thread = threading.Thread(target=self.serve_forever, args=(limit / 20,), name="probes", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, without waiting for requests in progress."""
        self.shutdown()
        self._thread.join()
        self.server_close()

    def answer(self, path: str, host: str | None) -> tuple[HTTPStatus, bytes, str]:
        """Return status, body and content type."""
        try:
            return self._answer(path.partition("?")[0], host)
        except Exception as error:  # noqa: BLE001 - a check that breaks is a bad answer, not no answer
            # The kind only: a driver's message may hold the database's address.
            return HTTPStatus.SERVICE_UNAVAILABLE, f"{type(error).__name__}\n".encode(), _PLAIN

    def _answer(self, path: str, host: str | None) -> tuple[HTTPStatus, bytes, str]:
        # On loopback, another name is that of a web page; on an open address, any name may be this service's.
        if self._host in LOOPBACK and host is not None and not is_loopback_name(host):  # every browser sends a Host
            return HTTPStatus.MISDIRECTED_REQUEST, b"not a name of this service\n", _PLAIN
        if path == "/metrics":
            return HTTPStatus.OK, self._metrics(), _EXPOSITION
        check = self._checks.get(path)
        if check is None:
            return HTTPStatus.NOT_FOUND, b"try /livez, /readyz or /metrics\n", _PLAIN
        good, text = check()
        line = " ".join(text.split()) + "\n"
        return HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE, line.encode("utf-8", "replace"), _PLAIN

    def server_bind(self) -> None:
        """Bind without the query of HTTPServer to the DNS for the host name, which may take half a minute and is for CGI only."""
        socketserver.TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Set the end of a request's time."""
        self._ends[request] = time.monotonic() + self._limit
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget an ended request."""
        self._ends.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Disconnect late requests; `serve_forever` calls this repeatedly."""
        for request, end in self._ends.copy().items():
            if time.monotonic() > end:
                with suppress(OSError):  # it may already be closed
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - signature of socketserver
        """Log an error that is not a closed connection."""
        error = sys.exception()
        if not isinstance(error, OSError):
            get_logger().warning("probe_failed", reason=str((error and resource_error(error)) or type(error).__name__))


class _Handler(BaseHTTPRequestHandler):
    server: Probes
    server_version = "template-sync"
    sys_version = ""  # do not reveal the version of Python
    error_content_type = _PLAIN
    error_message_format = "%(code)d\n"

    def do_GET(self) -> None:
        status, body, content_type = self.server.answer(self.path, self.headers.get("Host"))
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - name required by BaseHTTPRequestHandler

    def end_headers(self) -> None:
        """Add headers to every response, errors included."""
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - name of the base class
        """Write no access log."""


@dataclass(eq=False)
class Scrape:
    """Read the facts from the database, then return the metrics; while the database does not answer, the last facts are served.

    Args:
        metrics: the metrics.
        read: queries the database, in a thread of its own, one at a time.
        keep: minimum seconds between two queries.
        limit: maximum wait for the query, in seconds.
        monotonic: the monotonic clock.
    """

    metrics: Metrics
    read: Callable[[], Overview]
    keep: float = KEEP_SECONDS
    limit: float = QUERY_LIMIT
    monotonic: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._queried_at = -math.inf
        self._query: threading.Thread | None = None

    def text(self) -> bytes:
        """Return the metrics in Prometheus's text format."""
        with self._lock:
            now = self.monotonic()
            if now - self._queried_at >= self.keep and not (self._query and self._query.is_alive()):
                self._queried_at = now
                query = threading.Thread(target=self._update, name="metrics", daemon=True)
                with suppress(RuntimeError):  # no thread is available; the last facts are served
                    query.start()
                    self._query = query
        if self._query:
            self._query.join(self.limit)
        return self.metrics.text()

    def _update(self) -> None:
        try:
            self.metrics.set_facts(self.read())
        except SyncError:
            pass  # the next run reports it
        except Exception as error:  # noqa: BLE001 - otherwise the thread prints a traceback
            get_logger().warning("metrics_not_updated", reason=type(error).__name__)
