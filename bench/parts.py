"""Say what a run is made of: microseconds of CPU for each step, of a page of 50 and of a record, and each import at start-up.

    python bench/parts.py [--pages 400]

The best of several rounds in one process, all its threads together; what the simulator takes is not counted. Other ways to
fetch a page are measured beside the project's own.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import http.client
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
from lab import simulator
from measure import environment, machine

from sync.catalog.documented_record import read_documented
from sync.catalog.dropped_tags import read_both_ways
from sync.catalog.hashes import content_hash, fingerprint
from sync.catalog.intake import Intake
from sync.catalog.raw_record import decode, quick_id, wire_hash
from sync.catalog.template import document
from sync.endpoint.body import BODY_LIMIT
from sync.endpoint.body_codes import judge_answer
from sync.endpoint.client import PATH, Endpoint
from sync.endpoint.envelope import read_envelope
from sync.endpoint.http import Connection
from sync.endpoint.network import Network, Timeouts
from sync.redaction import Redactor
from sync.settings import load
from sync.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable

    from sync.endpoint.questions import Question

KEY = "ak_00000000000000000000000000000000"
PAGE = 50
ROUNDS = 7
TIMEOUTS = {"timeout": {"connect": 10.0, "read": 10.0, "write": 10.0, "pool": None}}
PACKAGES = ("sqlalchemy", "httpcore", "structlog", "click", "msgspec", "alembic", "sync.synchronise")


def cost(work: Callable[[], object], times: int) -> float:
    """Give the microseconds of CPU that one of `times` pieces of this work takes, in the best round."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best / times * 1e6


def line(name: str, microseconds: float) -> None:
    """Print one figure."""
    print(f"  {name:58} {microseconds:8.2f}")


def through(transport: httpx.BaseTransport, urls: list[str]) -> None:
    """Fetch pages through a transport of httpx's, without its client around it."""
    for url in urls:
        request = httpx.Request("GET", url, headers={"x-api-key": KEY}, extensions=dict(TIMEOUTS))
        response = transport.handle_request(request)
        response.read()
        response.close()
    transport.close()


def connected(urls: list[str]) -> None:
    """Fetch pages over a connection as the workers have them."""
    connection = Connection(urls[0], Network())
    for url in urls:
        connection.request("GET", url, [(b"x-api-key", KEY.encode())], timeouts=Timeouts(), most=lambda _status: BODY_LIMIT)
    connection.close()


def fetching(origin: str, pages: int) -> None:
    """Fetch pages in several ways."""
    base = f"{origin}/v1"
    urls = [f"{base}{PATH}?page={number}&page_size={PAGE}" for number in range(1, pages + 1)]
    settings = load({"base_url": base, "rate": "0"}, {"CRUN_API_KEY": KEY}, None).settings
    headers = {"x-api-key": KEY}

    def project(workers: int) -> None:
        questions: list[Question] = [{"page": number, "page_size": PAGE} for number in range(1, pages + 1)]
        with Endpoint(settings, KEY) as endpoint:
            assert all(answer for _, answer in endpoint.answers(questions, workers))  # noqa: S101 - all are to be drawn

    def plain_httpx() -> None:
        with httpx.Client(headers=headers) as client:
            for url in urls:
                client.get(url).read()

    async def asynchronous_httpx() -> None:
        waiting = iter(urls)

        async def some(client: httpx.AsyncClient) -> None:
            for url in waiting:
                await client.get(url)

        async with httpx.AsyncClient(headers=headers) as client:
            await asyncio.gather(*(some(client) for _ in range(4)))

    def standard_library() -> None:
        where = urlsplit(base)
        connection = http.client.HTTPConnection(str(where.hostname), where.port)
        for url in urls:
            connection.request("GET", url.removeprefix(origin), headers=headers)
            connection.getresponse().read()
        connection.close()

    print(f"a page of {PAGE}, fetched and its records cut out, the project's way")
    for workers in (1, 4, 8):
        line(f"{workers} in flight", cost(lambda workers=workers: project(workers), pages))  # type: ignore[misc]
    print("a page, fetched only")
    line("httpx.Client, one after another", cost(plain_httpx, pages))
    line("httpx.HTTPTransport, one after another", cost(lambda: through(httpx.HTTPTransport(), urls), pages))
    line("the project's connection, one after another", cost(lambda: connected(urls), pages))
    line("httpx.AsyncClient, 4 in flight", cost(lambda: asyncio.run(asynchronous_httpx()), pages))
    line("http.client, one after another", cost(standard_library, pages))


def reading(body: bytes) -> None:
    """Take a page apart, and its records."""
    now, repeats = datetime.now(UTC), 20
    records = read_envelope(body).records or []
    known = {str(quick_id(raw)): wire_hash(raw) for raw in records}
    values = [decode(raw) for raw in records]
    templates = [template for value in values if (template := read_both_ways(value, looked_up=False).template)]
    documents = [document(template) for template in templates]

    def repeated(work: Callable[[], object]) -> float:
        return cost(lambda: [work() for _ in range(repeats)], repeats)

    print("a page, once it is there")
    line("judged, and its records cut out", repeated(lambda: judge_answer(200, {}, body, now)))
    line("all of it recognised", repeated(lambda: Intake(known, frozenset(), Spool()).take(1, records)))
    may_spell = Redactor([KEY]).may_spell  # as a run has it
    line("all of it new", repeated(lambda: Intake({}, frozenset(), Spool(), may_spell=may_spell).take(1, records)))
    print("a record")
    steps: dict[str, Callable[[], object]] = {
        "its bytes hashed": lambda: [wire_hash(raw) for raw in records],
        "its id found": lambda: [quick_id(raw) for raw in records],
        "read as documented": lambda: [read_documented(raw) for raw in records],
        "or patiently: decoded": lambda: [decode(raw) for raw in records],
        "  validated": lambda: [read_both_ways(value, looked_up=False) for value in values],
        "  made a document": lambda: [document(template) for template in templates],
        "fingerprint": lambda: [fingerprint(each) for each in documents],
        "content hash": lambda: [content_hash(each) for each in documents],
    }
    for name, work in steps.items():
        line(name, repeated(work) / len(records))


def imports() -> None:
    """Start an interpreter for each import."""
    print("an import, beyond the interpreter's own start")
    measure = "import time; b = time.process_time()\n{}\nprint(time.process_time() - b)"
    for package in PACKAGES:
        command = [sys.executable, "-c", measure.format(f"import {package}")]
        seconds = [
            float(subprocess.run(command, env=environment(), capture_output=True, check=True).stdout) for _ in range(ROUNDS)
        ]
        line(package, statistics.median(seconds) * 1e6)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--pages", type=int, default=400)
    pages = parser.parse_args().pages
    gc.disable()  # as `run` does
    print(*machine({}), "microseconds of CPU", sep="\n")
    with simulator(pages * PAGE, 0) as origin:
        fetching(origin, pages)
        reading(httpx.get(f"{origin}/v1{PATH}?page_size={PAGE}", headers={"x-api-key": KEY}).content)
    imports()


if __name__ == "__main__":
    main()
