"""Fixtures that every test may use: databases of all three kinds, the settings, and a clean environment."""

from __future__ import annotations

import gc
import itertools
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
import structlog
from hypothesis import HealthCheck, settings
from sqlalchemy import event

from sync.catalog.feed import Cursor
from sync.store import schema
from sync.store.engine import open_engine
from sync.store.tables import metadata
from tests.builders import EPOCH, Database, give_epoch, records
from tests.daemons import Upstream

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

# The settings of a developer must not affect the tests.
for name in [
    name for name in os.environ if name.startswith(("SYNC_", "CRUN_", "DATABASE_URL")) and not name.startswith("SYNC_TEST_")
]:
    del os.environ[name]
for name in ("NO_COLOR", "FORCE_COLOR", "NOTIFY_SOCKET", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
    os.environ.pop(name, None)

# Otherwise each worker compiles all tests and their assertions, which is more than half of the time of collection.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")

SERVERS = {"postgresql": "SYNC_TEST_POSTGRES_URL", "mariadb": "SYNC_TEST_MARIADB_URL"}
KINDS = ("sqlite", *SERVERS)
_numbers = itertools.count(1)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Use one process with `-s`, because workers have no terminal; otherwise one worker more than cores, because some wait."""
    return 0 if config.getoption("capture") == "no" else (os.cpu_count() or 1) + 1


@pytest.hookimpl(tryfirst=True)  # before -m selects by marks
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Mark as long the tests that are long only on a server, and the slice of the long tests that CI runs for each push."""
    for item in items:
        on_a_server = item.get_closest_marker("long_on_servers") and _kinds(item) & SERVERS.keys()
        if on_a_server or item.get_closest_marker("ci_slice"):
            item.add_marker("long")


def pytest_collection_finish() -> None:
    """Exclude the collected tests from garbage collection, which would take a tenth of the time."""
    gc.collect()
    gc.freeze()


def _kinds(item: pytest.Item) -> set[str]:
    """Return the string parameters of a test; its kind of database is one of them."""
    call = getattr(item, "callspec", None)
    return {value for value in call.params.values() if isinstance(value, str)} if call else set()


_ENGINES: set[sa.Engine] = set()
event.listen(sa.Engine, "engine_connect", lambda connection: _ENGINES.add(connection.engine))


@pytest.fixture(autouse=True)
def dispose_of_engines() -> Iterator[None]:
    """Close the connections of all engines that a test used: one that stays open is a warning in a later test."""
    yield
    while _ENGINES:
        _ENGINES.pop().dispose()


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """Restore the logging of the process, which `configure` changes."""
    root = logging.getLogger()
    handlers, level, raising = root.handlers[:], root.level, logging.raiseExceptions
    yield
    root.handlers[:], logging.raiseExceptions = handlers, raising
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    for name in ("httpx", "httpcore", "hpack", "sqlalchemy", "alembic", "apscheduler", "mcp"):
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Report a skip by its reason alone: the summary has one line for a missing server, not one for each of its tests."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple):
        report.longrepr = (str(Path(__file__).parent), None, report.longrepr[2])  # type: ignore[assignment]
    return report


def server_url(kind: str) -> str:
    """Return the URL of a server; without it the test is skipped with the reason, and fails in CI."""
    variable = SERVERS[kind]
    url = os.environ.get(variable)
    if url is None:
        sentence = f"{kind}: set {variable} to a server on which databases may be created"
        if os.environ.get("CI"):
            pytest.fail(sentence, pytrace=False)
        pytest.skip(sentence)
    # PyMySQL would read the certificate authorities of the machine for each connection, which takes longer than most tests.
    return f"{url}{'&' if '?' in url else '?'}ssl_disabled=1" if kind == "mariadb" else url


def new_database(kind: str, folder: Path) -> tuple[str, str | None]:
    """Make an empty database; return its URL, and the URL of the server on which it must be dropped."""
    if kind == "sqlite":
        return f"sqlite:///{folder / f'empty{next(_numbers)}.db'}", None
    server = server_url(kind)
    name = f"sync_test_{os.getpid()}_{next(_numbers)}"
    _on_server(server, f"CREATE DATABASE {name}")
    return open_engine(server).url.set(database=name).render_as_string(hide_password=False), server


def drop_database(url: str, server: str | None) -> None:
    """Drop a database, also with open connections."""
    if server is not None:
        engine = open_engine(url)
        force = " WITH (FORCE)" if engine.dialect.name == "postgresql" else ""
        _on_server(server, f"DROP DATABASE IF EXISTS {engine.url.database}{force}")


def _on_server(server: str, statement: str) -> None:
    engine = open_engine(server)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


@pytest.fixture(params=KINDS)
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database of each kind in turn, without any table."""
    url, server = new_database(request.param, tmp_path)
    engine = open_engine(url)
    yield Database(request.param, url, engine)
    engine.dispose()
    drop_database(url, server)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """One migrated database of each kind for the whole session, made at its first use."""
    made: dict[str, str] = {}
    servers: dict[str, str | None] = {}

    class Lazy(dict[str, str]):
        def __missing__(self, kind: str) -> str:
            made[kind], servers[kind] = new_database(kind, tmp_path_factory.mktemp(kind))
            engine = open_engine(made[kind])
            schema.upgrade(engine)
            give_epoch(engine)
            engine.dispose()
            self[kind] = made[kind]
            return made[kind]

    yield Lazy()
    for kind, url in made.items():
        drop_database(url, servers[kind])


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, migrated: dict[str, str], tmp_path: Path) -> Iterator[Database]:
    """A migrated database of each kind in turn, as if new."""
    yield from fresh(request.param, migrated, tmp_path)


@pytest.fixture
def sqlite(migrated: dict[str, str], tmp_path: Path) -> Iterator[Database]:
    """A migrated SQLite database, as if new: for tests that do not depend on the engine."""
    yield from fresh("sqlite", migrated, tmp_path)


def fresh(kind: str, migrated: dict[str, str], folder: Path) -> Iterator[Database]:
    """Yield a database as if new: the file of SQLite is copied, the tables of a server are emptied."""
    url = migrated[kind]
    if kind == "sqlite":
        file = folder / "templates.db"
        shutil.copy(url.removeprefix("sqlite:///"), file)
        url = f"sqlite:///{file}"
    engine = open_engine(url)
    try:
        if kind != "sqlite":
            _empty(engine)
        yield Database(kind, url, engine)
    finally:  # after a failed test that loops over this, an open connection would be a warning in a later test
        engine.dispose()


def _empty(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            if table.name not in {"sync_state", "sync_lease"}:
                connection.execute(sa.delete(table))
        none = dict.fromkeys(("holder", "process", "ttl", "token", "turn", "run_waits_until"))
        connection.execute(sa.update(metadata.tables["sync_lease"]).values(fence=0, expires=0, **none))
        none = dict.fromkeys(("unreconciled_ids", "unreconciled_since", "oldest_run_id", "pruned_cursor", "origin"))
        counters = {"last_seq": 0, "oldest_seq": 1, "unreconciled_runs": 0}
        feed = {"feed_epoch": EPOCH, "last_cursor": str(Cursor.start(EPOCH))}
        connection.execute(sa.update(metadata.tables["sync_state"]).values(**counters, **feed, **none))
        restart = {
            "postgresql": "ALTER SEQUENCE sync_runs_run_id_seq RESTART",
            "mysql": "ALTER TABLE sync_runs AUTO_INCREMENT = 1",
        }
        connection.exec_driver_sql(restart[engine.dialect.name])


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost and catalog.test that is valid for 30 days, with its key in the same file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed here")
    folder = tmp_path_factory.mktemp("certificate")
    file, key = folder / "certificate.pem", folder / "key.pem"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"]
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,DNS:catalog.test"]
    command = [openssl, "req", "-x509", *kind, *name, "-keyout", str(key), "-out", str(file)]
    subprocess.run(command, check=True, capture_output=True)
    file.write_text(file.read_text() + key.read_text())
    return file


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """Serve a catalog of three."""
    with Upstream(records(3)) as server:
        yield server


@pytest.fixture
def report(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Return a function that prints a figure with `pytest -s`; docs/verification.md has these figures."""

    def print_figure(sentence: str) -> None:
        if request.config.getoption("capture") == "no":
            with capsys.disabled():
                print(f"\n{sentence}")  # noqa: T201 - with -s

    return print_figure
