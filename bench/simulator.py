"""The template endpoint on loopback, fast enough not to affect measurements.

    python bench/simulator.py --templates 10000 [--latency-ms 50] [--port 0]

It prints its port when it is ready, and serves until it is stopped. `http://127.0.0.1:PORT/v1` is the base URL of the first
version of the catalog, /v2 to /v4 are the others (see records.py). Any API key is accepted, a missing one is refused. For an
unknown id the body has the code 404, with HTTP status 200.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import re

from records import NEW_SIGNATURE, SIGNED, Catalog, make_versions

PATH = b"/api/v1/client/job/bytedance-templates"
MOST_PER_PAGE, USUAL_PER_PAGE = 50, 20
_TARGET = re.compile(rb"GET /(v\d)" + re.escape(PATH) + rb"(?:\?(\S*))? HTTP/1\.1\r\n")


class Endpoint:
    """Handles one request at a time, from records that are serialised already; `versions` are the catalogs by name."""

    def __init__(self, versions: dict[str, Catalog]) -> None:
        self._versions = versions

    def answer(self, head: bytes) -> bytes:
        """Return the complete response to the head of a request."""
        target = _TARGET.match(head)
        if target is None or (version := target[1].decode()) not in self._versions:
            return _http(_error(404, "no such resource"), b"404 Not Found")
        if b"\r\nx-api-key: " not in head.lower():
            return _http(_error(401, "the key is missing"))
        query = dict(part.split(b"=", 1) for part in (target[2] or b"").split(b"&") if b"=" in part)
        if b"template_id" in query:
            return _http(self._one(version, query[b"template_id"].decode()))
        page, size = int(query.get(b"page", 1)), int(query.get(b"page_size", USUAL_PER_PAGE))
        if page < 1 or not 1 <= size <= MOST_PER_PAGE:
            return _http(_error(422, "page or page_size out of range"))
        return _http(self._page(version, page, size))

    def _page(self, version: str, page: int, size: int) -> bytes:
        catalog = self._versions[version]
        body = _listed(catalog.records[(page - 1) * size : page * size], len(catalog.records))
        return body.replace(SIGNED, NEW_SIGNATURE) if catalog.new_signatures else body

    def _one(self, version: str, template_id: str) -> bytes:
        catalog = self._versions[version]
        place = catalog.places.get(template_id)
        return _error(404, "the template does not exist") if place is None else _listed([catalog.records[place]], 1)


def _listed(records: list[bytes], total: int) -> bytes:
    return b'{"code":200,"message":"success","data":{"total":%d,"templates":[%b]}}' % (total, b",".join(records))


def _error(code: int, message: str) -> bytes:
    return b'{"code":%d,"message":"%b","data":null}' % (code, message.encode())


def _http(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)


class Connection(asyncio.Protocol):
    """One persistent connection. Each response is sent `latency` seconds after its request."""

    def __init__(self, endpoint: Endpoint, latency: float) -> None:
        self._endpoint, self._latency = endpoint, latency
        self._read = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport of responses."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP is one
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        *heads, self._read = (self._read + data).split(b"\r\n\r\n")
        for head in heads:
            answer = self._endpoint.answer(head + b"\r\n")
            last = b"\r\nconnection: close" in head.lower()
            if self._latency:
                asyncio.get_running_loop().call_later(self._latency, self._send, answer, last)
            else:
                self._send(answer, last)

    def _send(self, answer: bytes, last: bool) -> None:  # noqa: FBT001 - call_later passes by position
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer)
            if last:
                self._transport.close()


async def serve(endpoint: Endpoint, latency: float, port: int) -> None:
    """Serve until cancelled."""
    server = await asyncio.get_running_loop().create_server(lambda: Connection(endpoint, latency), "127.0.0.1", port, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """Make the catalogs and serve them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--templates", type=int, default=280)
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    given = parser.parse_args()
    gc.disable()  # no object is cyclic; a collection would traverse a million records
    endpoint = Endpoint(make_versions(given.templates))
    asyncio.run(serve(endpoint, given.latency_ms / 1000, given.port))


if __name__ == "__main__":
    main()
