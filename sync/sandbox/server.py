"""The server of the sandbox: the API on loopback, the files of the catalog, and the sandbox's own paths to control it."""

from __future__ import annotations

import hmac
import json
import re
import socket
import sys
import time
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import RLock, Thread
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl

from sync.config.addresses import is_loopback_name
from sync.errors import UsageError
from sync.forms.form import JOB_PATH
from sync.sandbox.catalog import MEDIA_URL, PREVIEW_PATH, Evolution, Record, evolve, read_media
from sync.sandbox.responses import CODES, FAILED, SHORT, Fault, Faults, envelope, error, list_templates
from sync.sandbox.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sync.recording.replay import RecordedResponse, Replay

SANDBOX_KEY = "ak_SandboxKeyOpensOnlyTheSandbox000"
ENDPOINT = "/api/v1/client/job/bytedance-templates"
TASK_PATH = "/api/v1/client/job/TaskInfo"

_HOST = "127.0.0.1"
_REPLAYED = {ENDPOINT: "GET", "/sandbox": "GET"}
"""The paths with their methods; a recording contains responses of the catalog endpoint only."""
_METHODS = {**_REPLAYED, JOB_PATH: "POST", TASK_PATH: "GET", "/sandbox/evolve": "POST", "/sandbox/faults": "POST"}


class Sandbox:
    """The API on loopback, with a catalog that can change; as a context manager it serves while it is open.

    `url` is the base URL; `port` is the port, also if 0 selected a free one.
    """

    def __init__(
        self,
        catalog: Sequence[Record],
        *,
        key: str = SANDBOX_KEY,
        port: int = 0,
        latency_ms: int = 0,
        evolve_seed: int = 1,
        evolve_every: float | None = None,
        faults: Sequence[Fault] = (),
        clock: Callable[[], float] = time.time,
        replay: Replay | None = None,
        media_port: int | None = None,
    ) -> None:
        """Bind the port; nothing is served before `start` or `serve_forever`.

        Covers and previews are also served on `media_port`; if that port is in use, `serves_media` is False. A request to the API
        that arrives `evolve_every` seconds or more after the last change finds a week of changes. `clock` returns Unix seconds.

        Raises:
            UsageError: the port cannot be bound.
        """
        self.key = key
        self.latency = latency_ms / 1000
        self.catalog = tuple(catalog)  # replaced, never modified, so that a request sees one state
        self.faults = Faults(faults)
        self.replay = replay  # if set, its responses replace those of the catalog
        self._evolve_seed = evolve_seed
        self._evolve_every = evolve_every
        self._clock = clock
        self._evolved_at = clock()
        self._changing = RLock()
        try:
            self._servers = [_Server(self, port, _METHODS if replay is None else _REPLAYED)]
        except (OSError, OverflowError) as refused:
            reason = getattr(refused, "strerror", None) or str(refused)
            hint = "Choose another --port; 0 takes a free one."
            raise UsageError(f"The sandbox cannot listen on {_HOST}:{port}: {reason}.", hint=hint) from refused
        if media_port is not None:
            with suppress(OSError):
                self._servers.append(_Server(self, media_port, {}, share_port=True))
        self.serves_media = len(self._servers) > 1
        self._threads = [Thread(target=each.serve_forever, args=(0.02,), name="sandbox", daemon=True) for each in self._servers]
        self.port = self._servers[0].server_port
        self.url = f"http://{_HOST}:{self.port}"
        self.tasks = Tasks(clock, self.url + PREVIEW_PATH)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Serve from background threads."""
        for thread in self._threads:
            if thread.ident is None:
                thread.start()

    def serve_forever(self) -> None:
        """Serve until `stop` is called, from a signal handler or another thread, or until interrupted."""
        self.start()
        self._threads[0].join()

    def stop(self) -> None:
        """Stop serving and close all connections; the port is free afterwards."""
        for server, thread in zip(self._servers, self._threads, strict=True):
            if thread.ident is not None:
                server.shutdown()
                thread.join()
            server.server_close()
            server.close_connections()

    def replace(self, catalog: Sequence[Record]) -> None:
        """Serve another catalog, from the next request."""
        with self._changing:
            self.catalog = tuple(catalog)

    def evolve(self) -> Evolution:
        """Apply one week of changes, and return them."""
        with self._changing:
            changed, evolution = evolve(self.catalog, self._evolve_seed)
            self.catalog = tuple(changed)
            self._evolve_seed += 1
            self._evolved_at = self._clock()
            return evolution

    def describe(self) -> dict[str, Any]:
        """Return the URLs, the key and the number of templates."""
        description = {
            "base_url": self.url,
            "endpoint": self.url + ENDPOINT,
            "job_endpoint": self.url + JOB_PATH,
            "task_endpoint": self.url + TASK_PATH,
            "key": self.key,
            "count": len(self.catalog),
        }
        if self.replay is not None:
            return {**description, "replay": self.replay.count}
        controls = {"evolve": f"POST {self.url}/sandbox/evolve", "media": MEDIA_URL, "faults": self.faults.as_json()}
        return {**description, **controls}

    def answer(self, path: str, query: str, body: bytes | None) -> dict[str, Any] | RecordedResponse:
        """Return the response of the API to a request with a valid key."""
        if self.replay is not None:
            return self.replay.next_response(query) or envelope(404, "The recording has no response to this request")
        with self._changing:
            if self._evolve_every is not None and self._clock() >= self._evolved_at + self._evolve_every:
                self.evolve()
        parameters = dict(parse_qsl(query, keep_blank_values=True))
        is_page = path == ENDPOINT and not parameters.get("template_id")
        fault = self.faults.take(*CODES, *([SHORT] if is_page else []))
        if fault in CODES:
            return error(int(fault))
        if path == JOB_PATH:
            return self.tasks.create(self.catalog, body, fails=lambda: self.faults.take(FAILED) is not None)
        if path == TASK_PATH:
            return self.tasks.info(parameters)
        return list_templates(self.catalog, parameters, short=fault == SHORT)

    def control(self, path: str, body: bytes | None) -> dict[str, Any]:
        """Return the response of a path of the sandbox itself."""
        if path == "/sandbox/evolve":
            return self.evolve().as_json()
        return self.describe() if path == "/sandbox" else self.faults.answer(body)


class _Server(ThreadingHTTPServer):
    """Holds its sandbox and its open connections; ignores clients that disconnect.

    `methods` are the paths of the API that it serves, with the method of each: none on the port of covers and previews, which
    several sandboxes share, because all have the same files but not the same catalog.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, sandbox: Sandbox, port: int, methods: Mapping[str, str], *, share_port: bool = False) -> None:
        self.sandbox = sandbox
        self.methods = methods
        self.allow_reuse_port = share_port  # otherwise a port in use must be an error in every version of Python
        self._open: set[socket.socket] = set()
        super().__init__((_HOST, port), _Handler)

    def service_actions(self) -> None:
        """Send callbacks that are due; `serve_forever` calls this at least at each of its intervals."""
        self.sandbox.tasks.send_callbacks()

    def server_bind(self) -> None:
        # HTTPServer.server_bind resolves the name of 127.0.0.1, which can take seconds.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = _HOST, self.socket.getsockname()[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Close the connections that clients keep alive, which ends their threads."""
        for connection in tuple(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # The only I/O of a handler is its connection, so an OSError means that the client disconnected.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Handles the requests of one connection, each with one write."""

    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 18  # larger than a page, so that headers and body are sent together

    def do_GET(self) -> None:
        body = self._read_body()
        if not self._send_media():
            answer = self._answer(body)
            if isinstance(answer, dict):
                self._send(answer)
            else:
                self._send_recorded(answer)

    def do_HEAD(self) -> None:
        if not self._send_media():
            self.send_error(HTTPStatus.METHOD_NOT_ALLOWED)

    do_POST = do_GET  # noqa: N815 - the base class named it

    def _answer(self, body: bytes | None) -> dict[str, Any] | RecordedResponse:
        sandbox = self.server.sandbox
        path, _, query = self.path.partition("?")
        if not is_loopback_name(self.headers.get("Host", "")):
            return envelope(403, "The sandbox answers to loopback names only")
        if path not in self.server.methods:
            return error(404)
        if self.command != self.server.methods[path]:
            return envelope(405, f"Use {self.server.methods[path]}")
        if path.startswith("/sandbox"):
            return sandbox.control(path, body)
        time.sleep(sandbox.latency)
        if not hmac.compare_digest(self.headers.get("x-api-key", "").encode(), sandbox.key.encode()):
            return error(401)
        return sandbox.answer(path, query, body)

    def _send_media(self) -> bool:
        """Send the cover or preview that is requested, if it is one; no key is needed, as with the vendor's storage.

        One range of bytes is supported, because Safari plays no video without it.
        """
        found = read_media(self.path.partition("?")[0])
        if found is None or self.command == "POST" or not is_loopback_name(self.headers.get("Host", "")):
            return False
        media_type, content = found
        status, headers = HTTPStatus.OK, {"Content-Type": media_type, "Accept-Ranges": "bytes"}
        span = re.fullmatch(r"bytes=([0-9]{1,9})-([0-9]{0,9})", self.headers.get("Range", ""))
        if span and (part := content[int(span[1]) : int(span[2]) + 1 if span[2] else None]):
            status = HTTPStatus.PARTIAL_CONTENT
            headers["Content-Range"] = f"bytes {int(span[1])}-{int(span[1]) + len(part) - 1}/{len(content)}"
            content = part
        self._send_bytes(status, headers, content)
        return True

    def _read_body(self) -> bytes | None:
        """Read the body, also if it is not used, so that it is not parsed as the next request; None if it is too long."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not re.fullmatch(r"[0-9]{1,5}", length):
            self.close_connection = True
            return None
        return self.rfile.read(int(length))

    def _send(self, answer: dict[str, Any]) -> None:
        body = json.dumps(answer, ensure_ascii=False).encode()
        self._send_bytes(answer.get("code", HTTPStatus.OK), {"Content-Type": "application/json; charset=utf-8"}, body)

    def _send_bytes(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_recorded(self, answer: RecordedResponse) -> None:
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
        self._send(envelope(code, message or explain or HTTPStatus(code).phrase))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class named it
        """Write no access log."""
