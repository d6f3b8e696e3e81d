"""Four workers on one database with a short lease are killed and paused at random; a reader must never notice it.

SYNC_TEST_TORTURE_SECONDS: the duration per database, by default 8. `pytest -s -m long` prints the counts.
SYNC_TEST_TORTURE_UNFENCED=1 also runs it without the check of the fencing token, until the reader reports a violation.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sync.errors import DatabaseError
from sync.store import lease as leases
from sync.store.engine import open_engine, reading
from sync.store.tables import sync_state, template_changes
from tests.faults import PROCESSES, Catalog, age_lease, anomalies, documents, sync, versioned, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path

    from tests.builders import Database

SECONDS = float(os.environ.get("SYNC_TEST_TORTURE_SECONDS", "8"))
TERM = 0.3
"""TTL of the lease, in seconds."""
WORKERS = 4
ENOUGH = 3
"""Minimum number of successful runs."""
PATIENCE = 60.0


def _no_check(*_: Any) -> None:
    """Replace `check_fence`, to show that it is needed."""


def _now() -> int:
    """Return the version of the catalog: it only increases, and is the same in all processes."""
    return time.monotonic_ns() // 100_000 % 10**9


def shifting(chance: random.Random) -> Catalog:
    """Make a catalog that differs in each walk, and is slow."""

    def serve_slowly() -> None:
        catalog.served = catalog.served or versioned(_now())
        time.sleep(chance.uniform(0, 1.3 * TERM) if chance.random() < 0.2 else 0)

    catalog = Catalog([], serve_slowly)
    return catalog


def work(url: str, folder: str, seed: int, *, fenced: bool, term: float = TERM) -> None:
    """Synchronise forever, and log the result of each run. The target of a process."""
    if not fenced:
        leases.check_fence = _no_check  # type: ignore[assignment]
    engine = open_engine(url)
    chance = random.Random(seed)  # noqa: S311 - no secret
    log = os.open(f"{folder}/{seed}.log", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    while True:
        try:
            outcome = sync(shifting(chance), engine, ttl=term, sleep=time.sleep)
            ended = outcome.error.code if outcome.error else str(outcome.run.status)
            if isinstance(outcome.error, DatabaseError):
                ended = f"{ended}: {outcome.error}"
        except Exception as error:  # noqa: BLE001 - any other error is a failure
            ended = f"escaped {type(error).__name__}: {error}"
        os.write(log, f"{ended}\n".encode())
        time.sleep(chance.uniform(0, TERM / 10))


class Reader:
    """Polls the database as an app does, and records violations."""

    def __init__(self, url: str) -> None:
        self.violations: list[str] = []
        self.reads = 0
        self.versions: set[int] = set()
        self._engine = open_engine(url)
        self._newest = self._last_seq = 0

    def read(self) -> None:
        with reading(self._engine) as connection:
            catalog = documents(connection)
            last_seq = connection.scalar(sa.select(sync_state.c.last_seq)) or 0
            feed = connection.scalar(sa.select(sa.func.count()).select_from(template_changes))
        self.reads += 1
        versions = {int(str(each["title_en"]).removeprefix("v")) for each in catalog.values()}
        versions |= {int(tag["name"].removeprefix("v")) for each in catalog.values() for tag in each["tags"]}
        versions |= {int(price["credit"]) for each in catalog.values() for price in each["consume_items"]}
        if len(versions) > 1:
            self.violations.append(f"torn: {sorted(versions)}")
        if versions:
            version = max(versions)
            if catalog.keys() != {record["TemplateId"] for record in versioned(version)}:
                self.violations.append(f"torn: version {version} with {sorted(catalog)}")
            if version < self._newest:
                self.violations.append(f"went back from {self._newest} to {version}")
            self._newest = version
            self.versions.add(version)
        if last_seq < self._last_seq or feed != last_seq:
            self.violations.append(f"the feed went from {self._last_seq} to {last_seq} with {feed} lines")
        self._last_seq = last_seq


class Workers:
    """Processes that synchronise forever, one for each URL; one that is killed is replaced."""

    def __init__(self, urls: Sequence[str], folder: Path, *, fenced: bool = True, term: float = TERM) -> None:
        self._urls = urls
        self._folder = folder
        self._options = {"fenced": fenced, "term": term}
        self._seeds = itertools.count(random.SystemRandom().randrange(10**6))
        self._processes = [self._start(url) for url in urls]

    def _start(self, url: str) -> ForkServerProcess:
        arguments = (url, str(self._folder), next(self._seeds))
        process = PROCESSES.Process(target=work, args=arguments, kwargs=self._options, daemon=True)
        process.start()
        return process

    @staticmethod
    def _end(process: ForkServerProcess) -> None:
        process.kill()
        process.join()
        process.close()

    def kill(self, place: int) -> None:
        """Kill one, and start another."""
        self._end(self._processes[place])
        self._processes[place] = self._start(self._urls[place])

    def signal(self, place: int, number: signal.Signals) -> None:
        pid = self._processes[place].pid
        assert pid is not None
        os.kill(pid, number)

    def end(self) -> Counter[str]:
        """Kill all; return how many runs had which result."""
        for process in self._processes:
            self._end(process)
        return self.results()

    def results(self) -> Counter[str]:
        return Counter(line for log in self._folder.glob("*.log") for line in log.read_text().splitlines())


class Nemesis:
    """Kills, pauses and wakes the workers at random."""

    def __init__(self, workers: Workers) -> None:
        self.done: Counter[str] = Counter()
        self._workers = workers
        self._random = random.SystemRandom()
        self._asleep: dict[int, float] = {}
        self._next = 0.0

    def act(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        for place in [place for place, until in self._asleep.items() if until <= now]:
            del self._asleep[place]
            self._workers.signal(place, signal.SIGCONT)
        if now < self._next:
            return
        self._next = now + self._random.uniform(0.05, 0.4)
        place = self._random.randrange(WORKERS)
        if place in self._asleep:
            return
        if self._random.random() < 0.5:
            self._workers.kill(place)
            self.done["killed"] += 1
        else:
            self._workers.signal(place, signal.SIGSTOP)
            self._asleep[place] = now + self._random.uniform(0.05, 4 * TERM)
            self.done["paused"] += 1


def _torture(database: Database, folder: Path, seconds: float, *, fenced: bool = True) -> tuple[Reader, Nemesis, Counter[str]]:
    """Run workers for some seconds, and until enough of their runs succeeded, or until the reader reports a violation."""
    reader, workers = Reader(database.url), Workers([database.url] * WORKERS, folder, fenced=fenced)
    nemesis = Nemesis(workers)
    ends = time.monotonic() + seconds
    try:
        while not reader.violations and (
            (now := time.monotonic()) < ends or (workers.results()["succeeded"] < ENOUGH and now < ends + PATIENCE)
        ):
            nemesis.act()
            reader.read()
    finally:
        ended = workers.end()
    return reader, nemesis, ended


@pytest.mark.long_on_servers
@pytest.mark.parametrize("seconds", [
    pytest.param(3, id="briefly", marks=pytest.mark.ci_slice), pytest.param(SECONDS, id="for long", marks=pytest.mark.long),
])  # fmt: skip
def test_workers_killed_and_paused_at_random_cause_no_violation(
    database: Database, seconds: float, tmp_path: Path, report: Callable[[str], None]
) -> None:
    reader, nemesis, ended = _torture(database, tmp_path, seconds)
    assert reader.violations == []
    assert anomalies(database) == []
    assert ended.keys() <= {"succeeded", "lease-busy", "lease-lost", "interrupted"}, "no deadlock, no timeout"
    assert ended["succeeded"] >= ENOUGH

    def lease_is_free() -> bool:
        with reading(database.engine) as connection:
            return not leases.current_holder(connection).active

    wait_for(lease_is_free)
    outcome = sync(versioned(_now()), database.engine, ttl=TERM)
    assert outcome.error is None, "the next run needs no repair"
    assert set(database.statuses) <= {"succeeded", "skipped", "interrupted", "failed"}
    assert all(row["finished_at"] for row in database.rows("sync_runs"))
    assert anomalies(database) == []
    report(
        f"{database.kind}, {seconds:g} s: {reader.reads} reads of {len(reader.versions)} catalogs, none torn, "
        f"none back; workers {dict(nemesis.done)}; runs {dict(ended)}; {outcome.run.run_id} attempts, 0 anomalies"
    )


def test_without_the_fence_a_reader_sees_the_catalog_go_back(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Show that the test can fail: a worker is suspended past its lease, another takes over, the first one continues."""
    monkeypatch.setattr(leases, "check_fence", _no_check)
    reader = Reader(database.url)

    def sleep_past_the_lease() -> None:
        slow.on_request = None
        age_lease(database.engine)
        assert sync(versioned(3), database.engine).error is None
        reader.read()

    slow = Catalog(versioned(2), sleep_past_the_lease)
    sync(versioned(1), database.engine)
    reader.read()
    outcome = sync(slow, database.engine)
    reader.read()
    assert outcome.error is None
    assert any("went back" in complaint for complaint in reader.violations)
    assert anomalies(database) != []


@pytest.mark.skipif("SYNC_TEST_TORTURE_UNFENCED" not in os.environ, reason="by command: SYNC_TEST_TORTURE_UNFENCED=1")
def test_without_the_fence_the_torture_itself_fails(database: Database, tmp_path: Path, report: Callable[[str], None]) -> None:
    reader, _nemesis, ended = _torture(database, tmp_path, 120, fenced=False)
    found = [*reader.violations, *anomalies(database), *(end for end in ended if ": " in end)]  # errors of the database, too
    report(f"{database.kind}, no fence: {found[:3]}")
    assert found
