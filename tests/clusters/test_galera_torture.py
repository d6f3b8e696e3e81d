"""Three workers on three nodes, while nodes and workers are killed, frozen and cut off at random.

SYNC_TEST_GALERA_SECONDS: the duration, by default 20; `pytest -s -m long` prints the counts. Afterwards the feed of each node has
no gap and replays to its tables, and no run replaced a newer catalog by an older one. SYNC_TEST_TORTURE_UNFENCED=1 also runs it
without the check of the fencing token, until there is a violation.
"""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

import pymysql
import pytest
import sqlalchemy as sa

from sync.reader import feed
from sync.store import schema
from sync.store.engine import open_engine
from tests.clusters.servers import both, galera
from tests.faults import BEFORE, anomalies, sync, wait_for
from tests.store.test_torture import Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers import Server

pytestmark = pytest.mark.long

SECONDS = float(os.environ.get("SYNC_TEST_GALERA_SECONDS", "20"))
TERM = 1.0
"""TTL of the lease, in seconds."""


@pytest.fixture
def nodes() -> Iterator[list[Server]]:
    """Three nodes with our tables, and a catalog in them."""
    with galera(3) as started:
        engine = open_engine(started[0].url)
        schema.upgrade(engine)
        assert sync(BEFORE, engine).error is None
        engine.dispose()
        yield started


def start_workers(nodes: list[Server], folder: Path, *, fenced: bool = True) -> Workers:
    """Start three, each of which prefers another node."""
    return Workers([both(*nodes[number:], *nodes[:number]) for number in range(3)], folder, fenced=fenced, term=TERM)


class Nemesis:
    """Faults of nodes and workers, at random times."""

    def __init__(self, nodes: list[Server], workers: Workers) -> None:
        self.done: Counter[str] = Counter()
        self._nodes = nodes
        self._workers = workers
        self._chance = random.SystemRandom()

    def cause_faults(self, seconds: float) -> None:
        """Cause faults for some seconds."""
        faults = (self.node_killed, self.node_frozen, self.node_cut_off, *[self.worker_killed, self.worker_paused] * 8)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(self._chance.uniform(0.05, 0.6))
            fault = self._chance.choice(faults)
            fault()
            self.done[fault.__name__.replace("_", " ")] += 1

    def node_killed(self) -> None:
        victim = self._chance.choice(self._nodes)
        victim.kill()
        victim.start(within=120)  # it may copy all data from another node, which serves no client meanwhile
        self._healed()

    def node_frozen(self) -> None:
        victim = self._chance.choice(self._nodes)
        victim.freeze()
        time.sleep(self._chance.uniform(0.1, 4))
        victim.thaw()
        self._healed()

    def node_cut_off(self) -> None:
        """Isolate one node from the other two; the workers use all three."""
        victim = self._chance.choice(self._nodes)
        url = open_engine(victim.url).url
        assert url.port is not None
        # With the driver alone: an isolated node refuses even the final ROLLBACK of SQLAlchemy.
        with pymysql.connect(host=url.host, port=url.port, user=url.username, autocommit=True) as raw, raw.cursor() as cursor:
            cursor.execute("SET GLOBAL wsrep_provider_options = 'gmcast.isolate=1'")
            time.sleep(self._chance.uniform(0.5, 5))
            cursor.execute("SET GLOBAL wsrep_provider_options = 'gmcast.isolate=0'")
        self._healed()

    def worker_killed(self) -> None:
        self._workers.kill(self._chance.randrange(3))

    def worker_paused(self) -> None:
        """Stop one for some seconds, with its transaction open."""
        place = self._chance.randrange(3)
        self._workers.signal(place, signal.SIGSTOP)
        time.sleep(self._chance.uniform(0.05, 2 * TERM))
        self._workers.signal(place, signal.SIGCONT)

    def _healed(self) -> None:
        wait_for(lambda: all(_is_ready(node) for node in self._nodes), within=120)


def by_code(results: Counter[str]) -> Counter[str]:
    """Count results without the messages of their errors."""
    counts: Counter[str] = Counter()
    for result, count in results.items():
        counts[result.partition(":")[0]] += count
    return counts


def went_back(engine: sa.Engine) -> list[str]:
    """Return the changes that replaced a newer catalog by an older one; the version increases with each walk."""
    newest, found = 0, []
    for change in feed.changes(engine):
        if change["kind"] == "removed":
            continue
        if found_version := re.fullmatch(r"v(\d+)", str(change["document"]["title_en"])):
            version = int(found_version[1])
            if version < newest:
                found.append(f"change {change['seq']} went from {newest} back to {version}")
            newest = version
    return found


def illegal(nodes: list[Server]) -> list[str]:
    """Return the violations on all nodes."""
    found = []
    for node in nodes:
        engine = open_engine(node.url)
        found += [*anomalies(engine), *went_back(engine)]
        engine.dispose()
    return found


def test_no_run_of_three_workers_on_three_nodes_fails_for_a_conflict(
    nodes: list[Server], tmp_path: Path, report: Callable[[str], None]
) -> None:
    workers = start_workers(nodes, tmp_path)
    time.sleep(SECONDS)
    ends = by_code(workers.end())
    assert set(ends) <= {"succeeded", "lease-busy", "lease-lost"}
    assert ends["succeeded"] > SECONDS
    assert illegal(nodes) == []
    report(f"galera: three workers on three nodes: {dict(ends)}; 0 illegal states")


def test_killed_frozen_and_isolated_nodes_and_workers_leave_one_consistent_history(
    nodes: list[Server], tmp_path: Path, report: Callable[[str], None]
) -> None:
    workers = start_workers(nodes, tmp_path)
    nemesis = Nemesis(nodes, workers)
    nemesis.cause_faults(SECONDS)
    ends = by_code(workers.end())
    assert not [end for end in ends if end.startswith("escaped")]
    assert ends["succeeded"] > 0
    assert illegal(nodes) == []
    engine = open_engine(nodes[1].url)
    assert sync(BEFORE, engine, accept_removals=True, sleep=time.sleep).error is None
    engine.dispose()
    faults = sum(nemesis.done.values())
    report(f"galera: {faults} faults, {dict(nemesis.done)}, under three workers: {dict(ends)}; 0 illegal states on 3 nodes")


@pytest.mark.skipif("SYNC_TEST_TORTURE_UNFENCED" not in os.environ, reason="by command: SYNC_TEST_TORTURE_UNFENCED=1")
def test_without_the_fence_the_same_torture_fails(nodes: list[Server], tmp_path: Path, report: Callable[[str], None]) -> None:
    workers = start_workers(nodes, tmp_path, fenced=False)
    nemesis = Nemesis(nodes, workers)
    found: list[str] = []
    until = time.monotonic() + 600
    while not found and time.monotonic() < until:
        nemesis.cause_faults(10)
        found = illegal(nodes)
    workers.end()
    faults = sum(nemesis.done.values())
    report(f"galera, no fence: after {faults} faults {found[:3]}")
    assert found


def _is_ready(node: Server) -> bool:
    engine = open_engine(node.url)
    try:
        with engine.connect() as connection:
            return bool(connection.exec_driver_sql("SELECT count(*) FROM sync_lease").scalar())
    except sa.exc.DBAPIError:
        return False
    finally:
        engine.dispose()
