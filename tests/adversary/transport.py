"""Bytes on the wire that violate HTTP, or valid HTTP used to harm. What is refused here never reaches a database."""
# ruff: noqa: E501 - an attack is a line

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.adversary.attack import ALL, CORRECT, Attack, http, page, second_page, sized, unreadable_second_page
from tests.hostile import GARBAGE, NO_REPLY, RESET, Reply, Request, bomb, chunked, faulty, html, redirect, zipped

if TYPE_CHECKING:
    from tests.hostile import Script

PAGE = page(2)
LENGTH = f"content-length: {len(PAGE)}"
OK = "HTTP/1.1 200 OK"
CHUNKED = "transfer-encoding: chunked"
IN_CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(PAGE), PAGE)


def off_by_one() -> Script:
    """Send to each request of the walk the response of the one before, as a shifted queue would."""
    last = [page(1)]

    def script(request: Request) -> Reply:
        if request.page == 0:
            return CORRECT(request)
        last.append(CORRECT(request).body)
        return Reply(last.pop(0))

    return script


def left_over(request: Request) -> Reply:
    """Send a denial of a template after every response, for the next request of the connection."""
    denial = b'{"code": 404, "message": "no such template"}'
    reply = CORRECT(request)
    return Reply(raw=reply.wire() + Reply(denial, 404).wire())


def left_over_page(request: Request) -> Reply:
    """Send every response twice."""
    return Reply(raw=CORRECT(request).wire() * 2)


def gzipped(content: bytes = PAGE, encoding: str = "gzip", **how: Any) -> Reply:
    return Reply(content, headers=(("content-encoding", encoding),), **how)


def waits(value: str, status: int = 429) -> Reply:
    return Reply(b"", status, (("retry-after", value),))


FRAMING = [
    second_page("framing: HTTP/1.0 and the end of the connection", http("HTTP/1.0 200 OK", PAGE), 0, ALL),
    unreadable_second_page("framing: HTTP/0.9", http(PAGE)),
    unreadable_second_page("framing: status 1000", sized(PAGE, status="1000 X")),
    second_page("framing: status 600", sized(PAGE, status="600 X"), 76),
    second_page("framing: 100 Continue before the response", Reply(raw=b"HTTP/1.1 100 Continue\r\n\r\n" + sized(PAGE).wire()), 0, ALL),
    unreadable_second_page("framing: an SSH banner", GARBAGE),
    unreadable_second_page("framing: two different Content-Length headers", sized(PAGE, "content-length: 5")),
    second_page("framing: Content-Length and chunked encoding", http(OK, LENGTH, CHUNKED, IN_CHUNKS), 0, ALL),
    *(
        unreadable_second_page(f"framing: Content-Length {length!r}", http(OK, f"content-length: {length}", PAGE))
        for length in ("-5", "12abc", "5, 6", "9" * 30)
    ),
    unreadable_second_page("framing: Content-Length larger than the body", http(OK, "content-length: 99999", PAGE)),
    unreadable_second_page("framing: Content-Length smaller than the body", http(OK, "content-length: 50", PAGE)),
    unreadable_second_page("framing: a chunk size of 2^64", http(OK, CHUNKED, b"ffffffffffffffff\r\n" + PAGE)),
    second_page("framing: chunks of one byte", http(OK, CHUNKED, b"".join(b"1\r\n%c\r\n" % byte for byte in PAGE) + b"0\r\n\r\n"), 0, ALL),
    unreadable_second_page("framing: no last chunk", chunked(PAGE, b"")),
    second_page("framing: a trailer", chunked(PAGE, b"0\r\nx-late: 1\r\n\r\n"), 0, ALL),
    unreadable_second_page("framing: a header without a colon", sized(PAGE, "nonsense")),
    second_page("framing: Latin-1 in a header", sized(PAGE, "x-a: \xe9\xff"), 0, ALL),
    unreadable_second_page("framing: a header of 200 KB", sized(PAGE, "x-a: " + "b" * 200_000)),
    second_page("framing: 204 with a body", sized(PAGE, status="204 No Content", end="close"), 76),
    second_page("framing: 304 with a body", sized(PAGE, status="304 Not Modified", end="close"), 76),
    unreadable_second_page("framing: the connection closes without a response", NO_REPLY),
    unreadable_second_page("framing: a connection reset", RESET),
    unreadable_second_page("framing: a connection reset within the body", Reply(raw=sized(PAGE).wire()[:-20], end="reset")),
]  # fmt: skip

CONNECTIONS = [
    Attack("connection: a 404 response follows each response", left_over, 0, ALL),
    Attack("connection: each response is sent twice", left_over_page, 0, ALL),
    Attack("connection: each response is that of the previous request", off_by_one(), 0, ALL, (("concurrency", 1),)),
    Attack("connection: closed after each response", lambda request: replace(CORRECT(request), end="close"), 0, ALL),
    second_page("connection: no response before the deadline", replace(Reply(PAGE), hold=30), 75, deadline=1.0),
    second_page("connection: one byte of the head per second", Reply(raw=sized(PAGE).wire(), pause=1.0), 75, deadline=1.0),
    second_page("connection: one byte of the body per second", Reply(raw=sized(PAGE).wire(), pause=1.0, drip_from=60), 75, deadline=1.0),
]  # fmt: skip

ENCODINGS = [
    second_page("encoding: gzip", zipped(Reply(PAGE)), 0, ALL),
    second_page("encoding: gzip in 100,000 members", gzipped(gzip.compress(b"") * 100_000 + gzip.compress(PAGE)), 76),
    unreadable_second_page("encoding: br", gzipped(PAGE, "br")),
    unreadable_second_page("encoding: Content-Encoding: gzip with a plain body", gzipped()),
    unreadable_second_page("encoding: a gzip body without Content-Encoding", Reply(gzip.compress(PAGE))),
    unreadable_second_page("encoding: truncated gzip", gzipped(gzip.compress(PAGE)[:-9])),
    unreadable_second_page("encoding: bytes after the gzip data", gzipped(gzip.compress(PAGE) + b"x" * 100_000)),
    second_page("encoding: gzip that expands to 64 MiB", bomb(64), 76),
    unreadable_second_page("encoding: two layers of gzip that expand to 64 MiB", bomb(64, 2)),
    unreadable_second_page("encoding: UTF-16", Reply(PAGE.decode().encode("utf-16"))),
    second_page("encoding: Latin-1 with a charset parameter", Reply(PAGE.replace(b"success", b"\xe9"), headers=(("content-type", "text/json; charset=latin-1"),)), 0, ALL),
    second_page("encoding: a byte order mark", Reply(b"\xef\xbb\xbf" + PAGE), 0, ALL),
]  # fmt: skip

DIRECTIONS = [
    *(second_page(f"direction: {status} to another host", redirect("http://127.0.0.1:9/", status), 76) for status in (302, 308)),
    second_page("direction: a redirect to the same URL", redirect("/api/v1/client/job/bytedance-templates"), 76),
    second_page("direction: a redirect to an invalid URL", redirect("http://[::1"), 76),
    second_page("direction: headers Refresh and Alt-Svc", sized(PAGE, "refresh: 0; url=http://127.0.0.1:9/", 'alt-svc: h3=":9"'), 0, ALL),
    second_page("direction: 401 with WWW-Authenticate", sized(b"", "www-authenticate: Basic", status="401 X"), 77),
    unreadable_second_page("direction: 511 of a captive portal", html(511)),
    unreadable_second_page("direction: an HTML page with status 200", html()),
]  # fmt: skip

PATIENCE = [
    *(
        second_page(f"patience: Retry-After: {value[:40]!r}", waits(value), 75)
        for value in ("", "99999", "9" * 40, "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 2030 00:00:00 +999999999", "\xff\xfe")
    ),
    second_page("patience: 503 with a Retry-After of one week", waits("604800", 503), 75),
    second_page("patience: 401 with Retry-After", waits("1", 401), 77),
    Attack("patience: 429 once, then a valid response", faulty(CORRECT, {2: waits("0")}, times=1), 0, ALL, (("concurrency", 1),)),
]  # fmt: skip

ATTACKS = [*FRAMING, *CONNECTIONS, *ENCODINGS, *DIRECTIONS, *PATIENCE]
