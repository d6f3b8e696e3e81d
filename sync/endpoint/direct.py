"""HTTP/1.1 over one socket, as a transport of httpx: a page costs a third of what httpx's own transport takes for it.

That one parses with h11, which walks over every byte of a head in Python and keeps a state machine for both sides. Here a head is
matched as a whole, and refused wherever h11 refuses it; `tests/adversary/transport.py` has the list. Only what a walk needs is
here: GET, no body to send, one request at a time.
"""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from select import select
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

_READ = 2**16
"""Bytes at a time: most pages in one piece."""
_LONGEST_HEAD = 100 * 1024
"""Bytes of an unfinished head, a chunk's line or the trailers, as in httpx's own transport."""
_LONGEST_MARK = 4
_HEAD_ENDS = re.compile(rb"\r?\n\r?\n")
_LINE_ENDS = re.compile(rb"\r?\n")
_FOLDED = re.compile(rb"\r?\n[ \t]+")
_STATUS = re.compile(rb"HTTP/(\d\.\d) ([1-9]\d\d)(?: [^\x00-\x08\x0a-\x1f\x7f]*)?")
_FIELD = re.compile(rb"([-!#$%&'*+.^_`|~0-9A-Za-z]+):[ \t]*([^\x00\r\n\x0b\x0c]*?)[ \t]*")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00\r\n]*)?")
_LENGTH = re.compile(rb"\d{1,18}")
_UNSENDABLE = re.compile(rb"[\x00\r\n]")
_BODILESS = {204, 304}
_SWITCHING = 101

Headers = list[tuple[bytes, bytes]]


class Direct(httpx.BaseTransport):
    """One connection at a time, kept while both sides like. Raises httpx's errors, with the times of a request's extensions.

    Args:
        trust: the certificate authorities.
        opened: told of each new socket before anything is sent; it may raise to give up.
    """

    def __init__(self, trust: ssl.SSLContext, opened: Callable[[socket.socket], None]) -> None:
        self._trust = trust
        self._opened = opened
        self._socket: socket.socket | None = None
        self._buffer = bytearray()
        """What came and is not read yet. Taking from its front does not move the rest."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read the head of its answer; the body is read by whoever iterates over the answer's stream.

        Raises:
            httpx.TransportError: no connection, none that is trusted, or no HTTP.
        """
        timeout = request.extensions["timeout"]
        try:
            line = self._kept() or self._connect(request.url, timeout["connect"])
            line.settimeout(timeout["read"])
            line.sendall(_written(request))
            version, status, headers = self._read_head()
            framing = _framing(status, headers)
        except (httpx.TransportError, OSError) as failure:
            self.close()
            raise _named(failure) from failure
        except BaseException:
            self.close()
            raise
        closes = version == b"1.0" or any(_closes(each) for each in (headers, request.headers.raw))
        return httpx.Response(status, headers=headers, stream=_Body(self, framing, keep=framing is not None and not closes))

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        line, self._socket, self._buffer = self._socket, None, bytearray()
        if line is not None:
            line.close()

    def _kept(self) -> socket.socket | None:
        """Take the last request's connection, if nothing came over it since: neither its end nor an answer nobody asked for."""
        line = self._socket
        if line is not None:
            with suppress(OSError, ValueError):  # closed, or a number too large for select
                if not self._buffer and not select([line], [], [], 0)[0]:
                    return line
            self.close()
        return None

    def _connect(self, url: httpx.URL, timeout: float) -> socket.socket:
        host, secure = url.raw_host.decode("ascii"), url.scheme == "https"
        # As bytes: httpx has encoded the name, and for a text Python would load its tables of all letters, 2 ms.
        address: Any = (url.raw_host, url.port or (443 if secure else 80))
        try:
            line = self._socket = socket.create_connection(address, timeout)
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._opened(line)
            if secure:
                line = self._socket = self._trust.wrap_socket(line, server_hostname=host, do_handshake_on_connect=False)
                self._opened(line)
                line.do_handshake()
        except TimeoutError as late:
            raise httpx.ConnectTimeout(str(late)) from late
        except OSError as failure:
            raise httpx.ConnectError(str(failure)) from failure
        return line

    def _read_head(self) -> tuple[bytes, int, Headers]:
        """Read the head of the answer; those that only say that it will come (1xx) are passed over."""
        while True:
            head = self._until(_HEAD_ENDS)
            if b"\n " in head or b"\n\t" in head:
                head = _FOLDED.sub(b" ", head)
            first, *lines = _LINE_ENDS.split(head)
            status = _STATUS.fullmatch(first)
            fields = [_FIELD.fullmatch(line) for line in lines]
            if status is None or None in fields:
                raise httpx.RemoteProtocolError("the head of the answer is no HTTP/1.1")
            version, code = status[1], int(status[2])
            if code == _SWITCHING:
                raise httpx.RemoteProtocolError("the answer switches to another protocol")
            if code >= 200:  # noqa: PLR2004 - what RFC 9110 calls a final response
                return version, code, [(field[1], field[2]) for field in fields if field]

    def _until(self, end: re.Pattern[bytes]) -> bytes:
        """Read up to a mark, and past it."""
        looked = 0
        while (found := end.search(self._buffer, looked)) is None:
            if len(self._buffer) > _LONGEST_HEAD:
                raise httpx.RemoteProtocolError("the head of the answer has no end")
            looked = max(0, len(self._buffer) - _LONGEST_MARK)
            self._buffer += self._receive()
        text = bytes(self._buffer[: found.start()])
        del self._buffer[: found.end()]
        return text

    def _receive(self) -> bytes:
        line = self._socket
        if line is None or not (received := line.recv(_READ)):
            raise httpx.RemoteProtocolError("the connection ended within the answer")
        return received

    def read(self, framing: int | bytes | None) -> Iterator[bytes]:
        """Read a body: of so many bytes, in chunks, or up to the end of the connection."""
        if framing == b"chunked":
            yield from self._read_chunks()
        elif isinstance(framing, int):
            yield from self._read_exactly(framing)
        else:
            yield self._take(len(self._buffer))
            while self._socket is not None and (more := self._socket.recv(_READ)):
                yield more

    def _read_exactly(self, length: int) -> Iterator[bytes]:
        while length:
            if not self._buffer:
                self._buffer += self._receive()
            piece = self._take(length)
            length -= len(piece)
            yield piece

    def _take(self, most: int) -> bytes:
        piece = bytes(self._buffer[:most])
        del self._buffer[:most]
        return piece

    def _read_chunks(self) -> Iterator[bytes]:
        while True:
            size = _CHUNK.fullmatch(self._until(_LINE_ENDS))
            if size is None:
                raise httpx.RemoteProtocolError("a chunk of the answer has no size")
            if not (length := int(size[1], 16)):
                break
            yield from self._read_exactly(length)
            if self._until(_LINE_ENDS):
                raise httpx.RemoteProtocolError("a chunk of the answer is longer than its size")
        while trailer := self._until(_LINE_ENDS):
            if _FIELD.fullmatch(trailer) is None:
                raise httpx.RemoteProtocolError("what follows the answer is no header")

    def finish(self, *, keep: bool) -> None:
        """End an answer. What is left over would be taken for the answer to the next request: then nothing is kept."""
        if self._buffer or not keep:
            self.close()


class _Body(httpx.SyncByteStream):
    """The body of one answer. Closing it before its end closes the connection."""

    def __init__(self, line: Direct, framing: int | bytes | None, *, keep: bool) -> None:
        self._line, self._framing, self._keep = line, framing, keep
        self._whole = False

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._line.read(self._framing)
        except OSError as failure:
            raise _named(failure) from failure
        self._whole = True

    def close(self) -> None:
        self._line.finish(keep=self._keep and self._whole)


def _written(request: httpx.Request) -> bytes:
    target = request.extensions.get("target", request.url.raw_path)
    fields = [b"%s %s HTTP/1.1" % (request.method.encode(), target)]
    fields += [b"%s: %s" % field for field in request.headers.raw]
    if any(map(_UNSENDABLE.search, fields)):
        raise httpx.LocalProtocolError("a header holds a character that none may hold")
    return b"\r\n".join((*fields, b"", b""))


def _framing(status: int, headers: Headers) -> int | bytes | None:
    """Find out where a body ends (RFC 9112, 6.3): after so many bytes, after its chunks, or (None) with the connection."""
    if status in _BODILESS:
        return 0
    given: dict[bytes, list[bytes]] = {b"transfer-encoding": [], b"content-length": []}
    for name, value in headers:
        if (lower := name.lower()) in given:
            given[lower].append(value)
    if codings := given[b"transfer-encoding"]:
        if [each.lower() for each in codings] != [b"chunked"]:
            raise httpx.RemoteProtocolError("the answer comes in a transfer encoding that was not asked for")
        return b"chunked"
    lengths = {part.strip() for value in given[b"content-length"] for part in value.split(b",")}
    if not lengths:
        return None
    if len(lengths) > 1 or _LENGTH.fullmatch(length := lengths.pop()) is None:
        raise httpx.RemoteProtocolError("the answer's length is none")
    return int(length)


def _closes(headers: Headers) -> bool:
    said = b",".join(value for name, value in headers if name.lower() == b"connection")
    return b"close" in {part.strip().lower() for part in said.split(b",")}


def _named(failure: Exception) -> httpx.TransportError:
    """Give a failure of the socket its name among httpx's."""
    if isinstance(failure, httpx.TransportError):
        return failure
    return httpx.ReadTimeout(str(failure)) if isinstance(failure, TimeoutError) else httpx.ReadError(str(failure))
