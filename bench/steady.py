"""Make runs one after another in one process, without faults and without a daemon round them: does memory come to rest?

    python bench/steady.py [--runs 1400]

The control of bench/soak.py: prints resident memory and the number of objects that the garbage collector knows. Linux only.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from sync.daemon.heartbeat import Ping
from sync.daemon.metrics import Metrics
from sync.daemon.service import Service
from sync.logs import configure
from sync.sandbox.catalog import make_catalog
from sync.sandbox.server import Sandbox
from sync.settings import load
from sync.store.engine import open_engine
from sync.store.schema import prepare

TEMPLATES, EVOLVE_EVERY = 280, 12


def resident() -> int:
    """Give the resident memory in KiB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1])


def main() -> None:
    """Run, and look every 200 runs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--runs", type=int, default=1400)
    runs = parser.parse_args().runs
    configure(style="json", level="error", secrets=())
    with tempfile.TemporaryDirectory() as folder, Sandbox(make_catalog(TEMPLATES, 7), evolve_seed=7) as sandbox:
        url = f"sqlite:///{folder}/templates.db"
        flags = {"base_url": sandbox.url, "database_url": url, "rate": "0"}
        settings = load(flags, {"CRUN_API_KEY": sandbox.key}, None).settings
        engine = open_engine(url)
        prepare(engine)
        service = Service(
            settings, engine, key=lambda: sandbox.key, metrics=Metrics("0"), ping=Ping(None), clock=lambda: datetime.now(UTC)
        )
        for number in range(1, runs + 1):
            service.run()
            if number % EVOLVE_EVERY == 0:
                sandbox.evolve()
                sandbox.replace(sandbox.catalog[:TEMPLATES])
            if number % 200 == 0:
                gc.collect()
                print(f"{number:6} runs  {resident():7} KiB  {len(gc.get_objects()):7} objects")
        engine.dispose()


if __name__ == "__main__":
    main()
