"""A scripted server on loopback: a script returns a Reply, with its bytes and their timing, to each Request.

`catalog` is the script of a correct server, with options; `faulty` puts other replies in front of it.
"""

from __future__ import annotations

import gzip
import json
import socket
import struct
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Script = Callable[["Request"], "Reply"]


@dataclass(frozen=True)
class Request:
    """One request as received; `number` counts from 1, `at` is monotonic, `target` is the path and the query as sent."""

    number: int
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    at: float
    method: str = "GET"
    target: str = ""
    body: bytes = b""

    @property
    def page(self) -> int:
        """The requested page; 0 for a look-up by id."""
        return 0 if "template_id" in self.query else int(self.query.get("page", "1"))


@dataclass(frozen=True)
class Reply:
    """What to send, and how.

    Attributes:
        headers: besides the length; a header given here twice is sent twice.
        length: `content-length`; None sends the right one, a negative number none.
        raw: sent instead of all the above.
        hold: seconds before the first byte.
        pause: seconds between two bytes; 0 sends all at once.
        drip_from: the first byte that is dripped.
        cut: number of bytes before the end of the connection; None sends all.
        end: `keep` the connection, `close` it, or `reset` it.
    """

    body: bytes = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    length: int | None = None
    raw: bytes | None = None
    hold: float = 0.0
    pause: float = 0.0
    drip_from: int = 0
    cut: int | None = None
    end: str = "keep"

    def wire(self) -> bytes:
        """Return the bytes as sent."""
        if self.raw is not None:
            return self.raw
        length = len(self.body) if self.length is None else self.length
        lines = [f"HTTP/1.1 {self.status} Reason", *(f"{name}: {value}" for name, value in self.headers)]
        if length >= 0:
            lines.append(f"content-length: {length}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


class Hostile:
    """Serves a script on a free port of loopback, one thread per connection; a context manager.

    Args:
        script: returns the replies.
        greeting: sent to each client before its request, such as the beginning of a TLS handshake.
    """

    def __init__(self, script: Script, greeting: bytes = b"") -> None:
        self.script = script
        self.greeting = greeting
        self.requests: list[Request] = []
        self.connections = 0
        self.at_once = self.most_at_once = 0
        self._lock = Lock()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._open: set[socket.socket] = set()
        self._stopped = False
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._threads = [Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._threads[0].join()
        for connection in tuple(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    @property
    def pages(self) -> list[int]:
        """The requested pages, in order; 0 for a look-up."""
        return [request.page for request in self.requests]

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections += 1
                self._open.add(connection)
                thread = Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.sendall(self.greeting)
            while received := _receive(connection):
                with self._lock:
                    request = replace(received, number=len(self.requests) + 1)
                    self.requests.append(request)
                    self.at_once += 1
                    self.most_at_once = max(self.most_at_once, self.at_once)
                try:
                    reply = self.script(request)
                    _wait(reply.hold, lambda: self._stopped)
                finally:
                    with self._lock:
                        self.at_once -= 1
                self._send(connection, reply)
                if reply.end == "reset":
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                if reply.end != "keep" or reply.cut is not None:
                    break
        self._open.discard(connection)

    def _send(self, connection: socket.socket, reply: Reply) -> None:
        wire = reply.wire()[: reply.cut]
        at_once = len(wire) if not reply.pause else reply.drip_from
        connection.sendall(wire[:at_once])
        for byte in wire[at_once:]:
            _wait(reply.pause, lambda: self._stopped)
            if self._stopped:
                return
            connection.sendall(bytes([byte]))


def _wait(seconds: float, stopped: Callable[[], bool]) -> None:
    ends = time.monotonic() + seconds
    while not stopped() and (left := ends - time.monotonic()) > 0:
        time.sleep(min(left, 0.05))


def read_head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        chunk = connection.recv(65536)
        if not chunk:
            return b""
        head += chunk
    return head


def _receive(connection: socket.socket) -> Request | None:
    head, _, body = read_head(connection).partition(b"\r\n\r\n")
    if not head:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, *_ = first.split(" ")
    path, _, query = target.partition("?")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        chunk = connection.recv(65536)
        if not chunk:  # the sender was killed
            return None
        body += chunk
    return Request(0, path, dict(parse_qsl(query)), headers, time.monotonic(), method, target, body)


# Replies ----------------------------------------------------------------------------------------------------------------


def as_json(value: Any, **how: Any) -> Reply:
    """Reply with a JSON value."""
    headers = (("content-type", "application/json"), *how.pop("headers", ()))
    return Reply(json.dumps(value).encode(), headers=headers, **how)


def success(records: Sequence[Any], total: Any = ..., **how: Any) -> Reply:
    """Reply with records; `total` is sent as given, and `None` as null."""
    data = {"total": len(records) if total is ... else total, "templates": list(records)}
    return as_json({"code": 200, "message": "success", "data": data}, **how)


def failure(code: int, status: int = 200, message: str = "no", **how: Any) -> Reply:
    """Reply with a code in the body, under HTTP 200 by default."""
    return as_json({"code": code, "message": message, "data": None}, status=status, **how)


def html(status: int = 200, **how: Any) -> Reply:
    """Reply with a web page."""
    return Reply(b"<!doctype html><h1>Sign in</h1>", status, (("content-type", "text/html"),), **how)


def redirect(target: str, status: int = 302) -> Reply:
    """Redirect elsewhere."""
    return Reply(status=status, headers=(("location", target),))


def zipped(reply: Reply, times: int = 1, encoding: str = "gzip") -> Reply:
    """Compress a reply's body, `times` over; `encoding` is the value of the header."""
    body = reply.body
    for _ in range(times):
        body = gzip.compress(body)
    return replace(reply, body=body, headers=(*reply.headers, ("content-encoding", encoding)))


@cache
def bomb(mebibytes: int, times: int = 1) -> Reply:
    """Make a small body that expands to this size."""
    return zipped(Reply(b" " * (mebibytes * 2**20)), times)


def chunked(body: bytes, end: bytes = b"0\r\n\r\n") -> Reply:
    """Reply in one chunk, followed by `end`."""
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    return Reply(raw=head + b"%x\r\n%s\r\n" % (len(body), body) + end, end="close")


GARBAGE = Reply(raw=b"\x16\x03\x01 SSH-2.0-none of this is HTTP\r\n\r\n", end="close")
NO_REPLY = Reply(raw=b"", end="close")
RESET = Reply(raw=b"", end="reset")


# Scripts ----------------------------------------------------------------------------------------------------------------


def catalog(
    records: Sequence[Any],
    *,
    total: Any = ...,
    cap: int = 50,
    past_end: Any = "empty",
    ignores_page: bool = False,
    look_up: Script | None = None,
) -> Script:
    """Make the script of a correct server.

    Args:
        records: the catalog.
        total: the value of `total`, or a function of the Request.
        cap: maximum page size of the server.
        past_end: the response after the last page: `empty`, `null`, `last`, `first`, or a body code.
        ignores_page: always return the first page.
        look_up: the script of look-ups by id; by default they are correct.
    """

    def script(request: Request) -> Reply:
        if request.page == 0:
            if look_up:
                return look_up(request)
            return success([found for found in records if _id(found) == request.query["template_id"]][:1])
        size = min(int(request.query["page_size"]), cap)
        count = total(request) if callable(total) else len(records) if total is ... else total
        pages = [list(records[start : start + size]) for start in range(0, len(records), size)] or [[]]
        number = 1 if ignores_page else request.page
        if number <= len(pages):
            return success(pages[number - 1], count)
        if isinstance(past_end, int):
            return failure(past_end)
        if past_end == "null":
            return as_json({"code": 200, "message": "success", "data": {"total": count, "templates": None}})
        return success({"empty": [], "last": pages[-1], "first": pages[0]}[past_end], count)

    return script


def _id(record: Any) -> Any:
    return record.get("TemplateId") if isinstance(record, dict) else None


def faulty(script: Script, faults: dict[int, Reply], *, times: int = 10**9) -> Script:
    """Replace replies of a script: page -> Reply, 0 for look-ups, each at most `times`."""
    used = dict.fromkeys(faults, 0)

    def with_faults(request: Request) -> Reply:
        if request.page in faults and used[request.page] < times:
            used[request.page] += 1
            return faults[request.page]
        return script(request)

    return with_faults


def one_after_another(*replies: Reply) -> Script:
    """Return the replies in turn; the last one stays."""
    return lambda request: replies[min(request.number, len(replies)) - 1]
