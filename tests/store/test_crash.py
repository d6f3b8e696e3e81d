"""A run that is killed, or loses its disk, server or connection, leaves the state before or after it.

`pytest -s tests/store/test_crash.py` prints how many faults were survived. The quick tests try a few of them, `-m long` all.
"""

from __future__ import annotations

import itertools
import resource
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sync.catalog.run_record import Status
from sync.errors import DatabaseError, LeaseLost, SyncError
from sync.store import schema
from sync.store.engine import open_engine
from tests import servers
from tests.builders import Database, record
from tests.faults import (
    AFTER,
    BEFORE,
    Catalog,
    Snapshot,
    age_lease,
    anomalies,
    applied_once,
    at_boundary,
    contents,
    exit_code_of,
    on_each_statement,
    stopped_clock,
    sync,
    sync_and_be_killed,
)
from tests.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LARGE = [*AFTER, *(record(str(number), Title=f"{number} " * 300, Title_en=f"{number} " * 300) for number in range(100, 140))]
"""Needs space on a disk."""


class Trial:
    """A database before and after a run, to repeat the run with faults."""

    def __init__(self, engine: sa.Engine, target: list[dict[str, Any]]) -> None:
        self.engine = engine
        self.target = target
        sync(BEFORE, engine)
        self._start = Snapshot(engine)
        self.before = contents(engine)
        sync(target, engine)
        self.after = contents(engine)
        self.outcomes: Counter[str] = Counter()
        self.again()
        assert contents(engine) == self.before

    def again(self) -> None:
        """Return to the state before the run; SQLite then opens the file as after a power failure."""
        self._start.restore()
        self.engine.dispose()

    def check(self, fault: object) -> str:
        """Return the state that the fault left, "before" or "after"; the next run must complete it without a repair."""
        found = contents(self.engine)
        which = "before" if found == self.before else "after" if found == self.after else "else"
        assert which != "else", f"{fault}: neither before nor after"
        assert anomalies(self.engine) == []
        outcome = sync(self.target, self.engine)
        assert outcome.error is None, f"{fault}: {outcome.error}"
        assert contents(self.engine) == self.after
        with self.engine.connect() as connection:
            left = connection.scalar(sa.text("SELECT count(*) FROM sync_runs WHERE status = 'running' OR finished_at IS NULL"))
        assert left == 0, f"{fault}: an attempt was not closed"
        self.outcomes[which] += 1
        return which


SOME_AND_ALL = pytest.mark.parametrize("step", [
    pytest.param(42, id="a few"), pytest.param(7, id="some", marks=pytest.mark.ci_slice),
    pytest.param(1, id="all", marks=pytest.mark.long),
])  # fmt: skip
"""A few faults in the quick tests, more in the slice of CI, all in the long tests."""


# Kills ------------------------------------------------------------------------------------------------------------------


@SOME_AND_ALL
@pytest.mark.long_on_servers
def test_a_run_killed_at_every_boundary_is_complete_or_absent(
    database: Database, step: int, report: Callable[[str], None]
) -> None:
    trial = Trial(database.engine, AFTER)
    passed = boundaries_of_a_run(database.url)
    last = len(passed)
    before_it_lands = max(place for place, name in enumerate(passed, 1) if name == "COMMIT")
    for number in sorted({*range(last, 0, -step), before_it_lands, last + 1}):
        trial.again()
        code = exit_code_of(sync_and_be_killed, database.url, number, AFTER)
        assert code == (-signal.SIGKILL if number <= last else 0)
        if code:
            trial.check(f"killed at boundary {number}")
    assert trial.outcomes["before"] > 25 / step
    assert trial.outcomes["after"] >= 1
    report(f"{database.kind}: killed at {trial.outcomes.total()} boundaries: {dict(trial.outcomes)}, else 0")


# A full disk ------------------------------------------------------------------------------------------------------------


@SOME_AND_ALL
def test_a_full_disk_at_any_page_leaves_the_state_before_or_after(
    sqlite: Database, step: int, report: Callable[[str], None]
) -> None:
    trial = Trial(sqlite.engine, LARGE)
    file = str(sqlite.engine.url.database)
    for pages in itertools.count(0, 5 * step):
        trial.again()
        with closing(sqlite3.connect(file)) as raw:
            raw.execute("VACUUM")  # otherwise the pages of the last trial are free
        most = sqlite.scalar("PRAGMA page_count") + pages
        cramped = open_engine(sqlite.url)
        sa.event.listen(cramped, "connect", lambda raw, _record, most=most: raw.execute(f"PRAGMA max_page_count={most}"))
        error = error_of_sync(cramped)
        cramped.dispose()
        if error is None:
            break
        assert "full" in str(error)
        assert error.hint == "Free disk space, or check the disk; nothing was lost, and the next run continues."
        assert trial.check(f"{pages} free pages") == "before"
        assert sqlite.scalar("PRAGMA integrity_check") == "ok"
    assert trial.outcomes["before"] > 10 / step
    report(f"sqlite: disk full at {trial.outcomes.total()} sizes: {dict(trial.outcomes)}, else 0")


def error_of_sync(engine: sa.Engine) -> SyncError | None:
    try:
        return sync(LARGE, engine).error
    except DatabaseError as early:  # before the lease
        return early


def sync_with_small_files(url: str, most: int) -> None:
    """Run once with a limit of the size of files. The target of a process."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    error = error_of_sync(open_engine(url))
    raise SystemExit(error.exit_code if error else 0)


@SOME_AND_ALL
def test_a_file_that_cannot_grow_leaves_the_state_before_or_after(
    sqlite: Database, step: int, report: Callable[[str], None]
) -> None:
    trial = Trial(sqlite.engine, LARGE)
    for most in itertools.count(8192, (40 * 1024 + 512) * step):
        trial.again()
        code = exit_code_of(sync_with_small_files, sqlite.url, most)
        trial.check(f"files of at most {most} bytes")
        assert sqlite.scalar("PRAGMA integrity_check") == "ok"
        if code == 0:
            break
        assert code == 69
    assert trial.outcomes["before"] > 5 / step
    report(f"sqlite: files limited to {trial.outcomes.total() - 1} sizes: {dict(trial.outcomes)}, else 0")


# A killed server --------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["postgresql", "mariadb"])
def own_server(request: pytest.FixtureRequest) -> Iterator[servers.Server]:
    """A server that may be killed."""
    make = {"postgresql": servers.postgresql, "mariadb": servers.mariadb}[request.param]
    with make() as server:
        yield server


@pytest.mark.long
def test_a_server_restarted_during_a_run_leaves_the_state_before_or_after(
    own_server: servers.Server, report: Callable[[str], None]
) -> None:
    engine = open_engine(own_server.url)
    schema.upgrade(engine)
    trial = Trial(engine, AFTER)
    ends: Counter[str] = Counter()

    def restart() -> None:
        own_server.kill()
        own_server.start()

    for number in range(2, len(boundaries_of_a_run(own_server.url)) + 1, 5):
        trial.again()
        victim = open_engine(own_server.url)
        at_boundary(victim, number, restart)
        try:
            ends["failed" if sync(AFTER, victim).error else "succeeded"] += 1
        except DatabaseError:
            ends["failed"] += 1  # before the run had the lease there is no row
        victim.dispose()
        age_lease(engine)  # such a run may have the lease; this expires it
        trial.check(f"server killed at boundary {number}")
    engine.dispose()
    assert ends["succeeded"] > 3, "an interrupted apply is retried as a whole"
    kind = own_server.url.partition(":")[0]
    report(f"{kind}: server killed at {sum(ends.values())} boundaries: runs {dict(ends)}; {dict(trial.outcomes)}, else 0")


def boundaries_of_a_run(url: str) -> list[str]:
    """Return the boundaries of a run."""
    engine = open_engine(url)
    passed = at_boundary(engine, 0, lambda: None)
    sync(AFTER, engine, clock=stopped_clock())
    engine.dispose()
    return passed


@pytest.mark.long
def test_an_unreachable_server_fails_the_run_and_the_next_run_completes(own_server: servers.Server) -> None:
    engine = open_engine(own_server.url)
    schema.upgrade(engine)
    sync(BEFORE, engine)
    source = Catalog(AFTER, own_server.kill)
    try:
        outcome = sync(source, engine)
        assert isinstance(outcome.error, DatabaseError)
        assert outcome.error.exit_code == 69
        assert outcome.unrecorded is not None
    finally:
        own_server.start()
    age_lease(engine)
    assert sync(AFTER, engine).error is None
    with engine.connect() as connection:
        statuses = connection.scalars(sa.text("SELECT status FROM sync_runs ORDER BY run_id")).all()
    assert statuses == ["succeeded", "interrupted", "succeeded"]
    assert anomalies(engine) == []
    engine.dispose()


# A connection that is lost during COMMIT --------------------------------------------------------------------------------


class ProxiedDatabase:
    """A database behind a proxy that cuts the COMMIT of the transaction that applies."""

    def __init__(self, direct: Database, proxy: Proxy) -> None:
        self.direct = direct
        self.proxy = proxy
        self.engine = open_engine(direct.engine.url.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False))
        self._how: str | None = None
        self._table = ""
        on_each_statement(self.engine, self._look)

    def cut(self, how: str, after: str = "template_changes (") -> None:
        """Cut the COMMIT that follows the first such statement."""
        self._how, self._table = how, after

    def _look(self, statement: str) -> None:
        if self._how and self._table in statement:
            self.proxy.cut, self._how = self._how, None


@pytest.fixture
def proxied(server: Database) -> Iterator[ProxiedDatabase]:
    """Each server in turn, with a catalog in it, behind the proxy."""
    sync(BEFORE, server.engine)
    url = server.engine.url
    with Proxy(url.host or "", url.port or {"postgresql": 5432, "mariadb": 3306}[server.kind]) as proxy:
        made = ProxiedDatabase(server, proxy)
        yield made
        made.engine.dispose()


def _applied_once(proxied: ProxiedDatabase) -> None:
    assert proxied.proxy.cuts == 1
    applied_once(proxied.direct)


@pytest.mark.parametrize("how", ["response", "request"])
def test_a_run_is_applied_once_if_its_commit_is_cut(proxied: ProxiedDatabase, how: str) -> None:
    proxied.cut(how)
    outcome = sync(AFTER, proxied.engine)
    assert (outcome.error, outcome.run.status) == (None, Status.SUCCEEDED)
    _applied_once(proxied)


@pytest.mark.parametrize(
    "away", [pytest.param(3, id="back soon"), pytest.param(25, id="back after a fail-over", marks=pytest.mark.ci_slice)]
)
def test_a_lost_response_to_commit_is_recognised_when_the_network_returns_late(proxied: ProxiedDatabase, away: int) -> None:
    """The run has released its lease by then, which is not a loss of the lease."""
    proxied.cut("response")
    looks: list[bool] = []

    def sleep(_pause: float) -> None:
        looks.append(len(looks) < away)
        proxied.proxy.closed = looks[-1]

    outcome = sync(AFTER, proxied.engine, sleep=sleep)
    assert looks == [True] * away + [False]
    assert (outcome.error, outcome.run.status) == (None, Status.SUCCEEDED)
    _applied_once(proxied)


def test_a_run_that_lost_its_connection_and_was_taken_over_does_not_count_as_applied(proxied: ProxiedDatabase) -> None:
    """Its row was closed by the run that took over."""
    proxied.cut("request")

    def sleep(_pause: float) -> None:
        if len(proxied.direct.rows("sync_runs")) == 2:
            age_lease(proxied.direct.engine)
            assert sync(BEFORE, proxied.direct.engine).error is None

    outcome = sync(AFTER, proxied.engine, sleep=sleep)
    assert isinstance(outcome.error, LeaseLost)
    assert proxied.direct.statuses == ["succeeded", "interrupted", "succeeded"]
    assert proxied.direct.present == {"1", "2", "3", "4", "5"}
    assert anomalies(proxied.direct) == []


@pytest.mark.parametrize("how", ["response", pytest.param("request", marks=pytest.mark.ci_slice)])
def test_a_run_continues_whether_or_not_the_commit_of_its_lease_arrived(proxied: ProxiedDatabase, how: str) -> None:
    proxied.cut(how, after="INTO sync_runs")
    outcome = sync(AFTER, proxied.engine)
    assert (outcome.error, proxied.proxy.cuts) == (None, 1)
    assert proxied.direct.statuses == ["succeeded", "succeeded"]
    assert anomalies(proxied.direct) == []


def test_a_failed_run_that_could_not_be_recorded_is_closed_by_the_next_run(proxied: ProxiedDatabase) -> None:
    def fail() -> None:
        proxied.cut("request", after="UPDATE sync_runs SET")
        failing.interrupt()

    failing = Catalog(AFTER, fail)
    outcome = sync(failing, proxied.engine)
    assert (outcome.run.status, proxied.proxy.cuts) == (Status.INTERRUPTED, 1)
    assert outcome.unrecorded is not None
    age_lease(proxied.direct.engine)
    assert sync(AFTER, proxied.engine).error is None
    assert set(proxied.direct.statuses) == {"succeeded", "interrupted"}
    assert anomalies(proxied.direct) == []
