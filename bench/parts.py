"""Print the cost of the parts of a run: microseconds of CPU for a page of 50, a record, a run in a warm process, and each import.

    python bench/parts.py [--pages 400]

Each figure is the best of several rounds in one process, including its threads, without the simulator.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
from lab import KEY, environment, machine, simulator

from sync.catalog.json_values import decode_json
from sync.catalog.removals import RunOptions
from sync.catalog.served_records import RecordParser, wire_hash
from sync.client.api_client import PATH, ApiClient
from sync.client.response import read_envelope
from sync.config.load_settings import load
from sync.config.redaction import Redactor
from sync.logs import configure
from sync.store.apply import Store
from sync.store.engine import open_engine
from sync.store.schema import prepare
from sync.synchronise import synchronise

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE, ROUNDS, REPEATS, WARM_RUNS = 50, 7, 20, 40
PACKAGES = ("sqlalchemy", "httpx", "structlog", "click", "msgspec", "alembic", "sync.synchronise")


def line(name: str, work: Callable[[], object], times: int) -> None:
    """Print the microseconds of CPU that one of `times` pieces of this work takes, in the best round."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    print(f"  {name:58} {best / times * 1e6:10.2f}")


def fetching(origin: str, pages: int) -> None:
    """Fetch pages, with several requests in flight."""
    settings = load({"base_url": f"{origin}/v1", "rate": "0"}, {"CRUN_API_KEY": KEY}, None).settings

    def project(workers: int) -> None:
        with ApiClient(replace(settings, concurrency=workers), KEY) as endpoint:
            for _ in endpoint.get_many([{"page": number, "page_size": PAGE} for number in range(1, pages + 1)]):
                pass

    print(f"a page of {PAGE}, fetched and parsed")
    for workers in (1, 4, 8):
        line(f"{workers} in flight", lambda workers=workers: project(workers), pages)  # type: ignore[misc]


def parsing(body: bytes) -> None:
    """Parse a page, and its records."""
    records = read_envelope(body).records or []
    values = [decode_json(raw) for raw in records]
    known = {value["TemplateId"]: wire_hash(raw) for raw, value in zip(records, values, strict=True)}
    redactor = Redactor([KEY])

    def parser(stored: dict[str, str]) -> RecordParser:
        return RecordParser(stored, load_documents=lambda _ids: {}, redact=redactor.value)

    def repeated(name: str, work: Callable[[], object], times: int) -> None:
        line(name, lambda: [work() for _ in range(REPEATS)], REPEATS * times)

    print("a page, once it is there")
    repeated("its frame parsed", lambda: read_envelope(body), 1)
    repeated("all of it unchanged", lambda: parser(known).parse_page(1, records), 1)
    repeated("all of it new", lambda: parser({}).parse_page(1, records), 1)
    print("a record")
    repeated("its bytes hashed", lambda: [wire_hash(raw) for raw in records], PAGE)
    repeated("decoded", lambda: [decode_json(raw) for raw in records], PAGE)
    repeated("looked through for secrets", lambda: [redactor.value(value) for value in values], PAGE)


def warm_runs(origin: str) -> None:
    """Synchronise again and again in one process, as the daemon does; nothing changes."""
    configure(style="json", level="error", secrets=())
    with tempfile.TemporaryDirectory() as folder:
        flags = {"base_url": f"{origin}/v1", "database_url": f"sqlite:///{folder}/templates.db", "rate": "0"}
        settings = load(flags, {"CRUN_API_KEY": KEY}, None).settings
        engine = open_engine(settings.database_url)
        prepare(engine)
        store, options = Store(engine), RunOptions(settings.page_size, settings.max_removed)

        def run_often() -> None:
            for _ in range(WARM_RUNS):
                once()

        def once() -> None:
            with ApiClient(settings, KEY) as endpoint:
                outcome = synchronise(store, endpoint, options, trigger="daemon", ttl=60.0, clock=lambda: datetime.now(UTC))
            if outcome.error:
                raise outcome.error

        print("a run in a warm process")
        line("no change, 280 templates", run_often, WARM_RUNS)
        engine.dispose()


def imports() -> None:
    """Start an interpreter for each import."""
    print("an import, beyond the interpreter's own start")
    measure = "import time; b = time.process_time()\n{}\nprint(time.process_time() - b)"
    for package in PACKAGES:
        command = [sys.executable, "-c", measure.format(f"import {package}")]
        runs = [subprocess.run(command, env=environment(), capture_output=True, check=True) for _ in range(ROUNDS)]
        print(f"  {package:58} {statistics.median(float(each.stdout) for each in runs) * 1e6:10.2f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--pages", type=int, default=400)
    pages = parser.parse_args().pages
    gc.disable()  # as `run` does
    print(machine({}), "microseconds of CPU", sep="\n")
    with simulator(pages * PAGE) as origin, simulator(280) as small:
        fetching(origin, pages)
        parsing(httpx.get(f"{origin}/v1{PATH}?page_size={PAGE}", headers={"x-api-key": KEY}, trust_env=False).content)
        warm_runs(small)
    imports()


if __name__ == "__main__":
    main()
