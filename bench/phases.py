"""Time the four kinds of run, each as a fresh process, start-up included: first, no change, a week's changes, dry run.

    python bench/phases.py [--templates 280] [--latency-ms 0] [--rounds 5]

Prints the median wall seconds and the peak memory over the rounds. On a shared machine only ratios taken in one go mean much.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

from sync.sandbox.catalog import make_catalog
from sync.sandbox.server import Sandbox


def timed(arguments: list[str], environment: dict[str, str], folder: str) -> tuple[float, float]:
    """Run one command; give its wall seconds and its peak memory in MiB."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "sync", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} left with {process.returncode}")
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def measure(sandbox: Sandbox, templates: int, seed: int) -> dict[str, tuple[float, float]]:
    """Make one round against a new SQLite database."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "CRUN_BASE_URL": sandbox.url, "CRUN_API_KEY": sandbox.key, "SYNC_RATE": "0"}
        environment["DATABASE_URL"] = "sqlite:///bench.db"
        sandbox.replace(make_catalog(templates, seed))
        timed(["db", "upgrade"], environment, folder)
        figures = {"first": timed(["run"], environment, folder)}
        figures["no change"] = timed(["run"], environment, folder)
        sandbox.evolve()
        figures["dry run"] = timed(["run", "--dry-run"], environment, folder)
        figures["changed"] = timed(["run"], environment, folder)
        return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--templates", type=int, default=280)
    parser.add_argument("--latency-ms", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with Sandbox(make_catalog(given.templates), latency_ms=given.latency_ms) as sandbox:
        rounds = [measure(sandbox, given.templates, seed) for seed in range(1, given.rounds + 1)]
    print(f"{given.templates} templates, {given.latency_ms} ms latency, {given.rounds} rounds, SQLite")
    print(f"{'':10} {'median s':>9} {'peak MiB':>9}")
    for phase in rounds[0]:
        seconds = statistics.median(each[phase][0] for each in rounds)
        memory = max(each[phase][1] for each in rounds)
        print(f"{phase:10} {seconds:9.2f} {memory:9.0f}")


if __name__ == "__main__":
    main()
