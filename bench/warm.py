"""Synchronise again and again in one process, as the daemon does, and say what one run takes once everything is warm.

    python bench/warm.py BASE_URL DATABASE_URL [--runs 40]

Prints one line of JSON: seconds by the clock and of CPU per run, all threads together, and the process's peak memory in MiB.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sync.endpoint.client import Endpoint
from sync.logs import configure
from sync.settings import load
from sync.store.apply import Store
from sync.store.engine import open_engine
from sync.synchronise import RunOptions, synchronise

if TYPE_CHECKING:
    from sync.settings import Settings

KEY = "ak_00000000000000000000000000000000"
WARMING = 5


def once(settings: Settings, store: Store) -> None:
    """Synchronise; nothing may have changed."""
    options = RunOptions(settings.page_size, settings.concurrency, settings.max_removed)
    with Endpoint(settings, KEY) as endpoint:
        outcome = synchronise(store, endpoint, options, trigger="daemon", ttl=60.0, clock=lambda: datetime.now(UTC))
    if outcome.error or outcome.run.changes:
        raise SystemExit(f"this was to be a run without changes: {outcome.error or outcome.run.changes}")


def main() -> None:
    """Warm up, then measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("base_url")
    parser.add_argument("database_url")
    parser.add_argument("--runs", type=int, default=40)
    given = parser.parse_args()
    configure(style="json", level="error", secrets=())
    flags = {"base_url": given.base_url, "database_url": given.database_url, "rate": "0"}
    settings = load(flags, {"CRUN_API_KEY": KEY}, None).settings
    engine = open_engine(given.database_url)
    store = Store(engine)
    for _ in range(WARMING):
        once(settings, store)
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(given.runs):
        once(settings, store)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    engine.dispose()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"wall": wall / given.runs, "cpu": cpu / given.runs, "memory": memory}))


if __name__ == "__main__":
    main()
