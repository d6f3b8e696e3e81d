"""The hosts of a DATABASE_URL, the limits of a connection, and the file of SQLite. Failover: tests/clusters."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sync import Catalog
from sync.config.files import SIDE_FILES
from sync.errors import ConfigurationError, DatabaseAway, SchemaError
from sync.reader import status
from sync.store import server_hosts
from sync.store.database_url import Host, database_name, read_url
from sync.store.doctor import server_state
from sync.store.engine import open_engine, reading
from sync.store.schema import require_current_schema
from tests.builders import records
from tests.faults import AFTER, BEFORE, age_lease, anomalies, on_each_statement, sync
from tests.faults import Catalog as Served
from tests.proxy import Proxy
from tests.servers import free_port

if TYPE_CHECKING:
    from tests.builders import Database

PORTS = {"postgresql": 5432, "mariadb": 3306}


# URLs -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("url", "hosts"), [
    ("postgresql://u@a/db", [Host("a", None)]),
    ("postgresql://u:p,w@a:1,b:2/db", [Host("a", 1), Host("b", 2)]),
    ("postgres://a,b:5433,[::1]:5434/db?sslmode=require", [Host("a", None), Host("b", 5433), Host("::1", 5434)]),
    ("mariadb://u@db1,db2/name", [Host("db1", None), Host("db2", None)]),
    ("postgresql://u@/db?host=a:1&host=b:2", []),
    ("sqlite:///a,b/templates.db", []),
])  # fmt: skip
def test_a_url_names_its_hosts_in_order(url: str, hosts: list[Host]) -> None:
    assert read_url(url)[1] == hosts


def test_the_other_parts_of_a_url_with_several_hosts_are_kept() -> None:
    url, _hosts = read_url("mysql://u:p%40%2C@a:1,b:2/db?charset=utf8mb4")
    assert (url.drivername, url.username, url.password, url.database) == ("mysql+pymysql", "u", "p@,", "db")
    assert (url.host, url.port, dict(url.query)) == ("a", 1, {"charset": "utf8mb4"})


@pytest.mark.parametrize("url", ["postgresql://a,/db", "postgresql://a:x,b/db", "postgresql://a:1:2,b/db"])
def test_an_invalid_list_of_hosts_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(ConfigurationError, match="host1:5432,host2:5432") as refused:
        read_url(url)
    assert "\n" not in str(refused.value)


def test_messages_name_all_hosts() -> None:
    assert database_name(open_engine("postgresql://u:secret@a:1,[::1]:2/db")) == "a:1,[::1]:2/db"
    assert database_name(open_engine("postgresql:///db")) == "local socket/db"


# Connections ------------------------------------------------------------------------------------------------------------


def _at(server: Database, *hosts: str) -> str:
    """Return the URL of a server with other hosts."""
    url = server.engine.url
    password = f":{url.password}" if url.password else ""
    return f"{server.kind}://{url.username}{password}@{','.join(hosts)}/{url.database}"


def _own(server: Database) -> tuple[str, int]:
    url = server.engine.url
    return url.host or "127.0.0.1", url.port or PORTS[server.kind]


def test_the_next_host_is_used_if_the_first_does_not_respond(server: Database) -> None:
    host, port = _own(server)
    engine = open_engine(_at(server, f"127.0.0.1:{free_port()}", f"{host}:{port}"))
    assert sync(BEFORE, engine).error is None
    assert status.overview(engine).present == 5


def test_if_no_host_responds_the_message_names_all(server: Database) -> None:
    hosts = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    engine = open_engine(_at(server, *hosts))
    with pytest.raises(DatabaseAway, match=",".join(hosts)) as refused, reading(engine):
        pass
    assert refused.value.exit_code == 69


@pytest.mark.ci_slice
def test_a_server_that_stops_responding_fails_the_run_and_the_next_run_succeeds(
    server: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind a frozen pooler: the connection stays open, and the timeouts of the server have no effect."""
    monkeypatch.setattr(server_hosts, "IDLE_SECONDS", 1)
    monkeypatch.setattr(server_hosts, "ANSWER_MARGIN_SECONDS", 0)
    sync(BEFORE, server.engine)
    with Proxy(*_own(server)) as proxy:
        engine = open_engine(_at(server, f"127.0.0.1:{proxy.port}"))

        def freeze(statement: str) -> None:
            proxy.frozen = proxy.frozen or "sync_runs" in statement

        on_each_statement(engine, freeze)
        error = sync(AFTER, engine).error
        assert isinstance(error, DatabaseAway)
        assert error.exit_code == 69
        engine.dispose()
    age_lease(server.engine)
    assert sync(AFTER, server.engine).error is None
    assert anomalies(server) == []


@pytest.mark.ci_slice
def test_a_host_that_accepts_and_does_not_respond_is_skipped(server: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_hosts, "CONNECT_SECONDS", 2)  # the minimum of libpq
    host, port = _own(server)
    with socket.create_server(("127.0.0.1", 0)) as unresponsive:
        engine = open_engine(_at(server, f"127.0.0.1:{unresponsive.getsockname()[1]}", f"{host}:{port}"))
        assert status.overview(engine).present == 0


def test_a_server_reports_product_and_version(server: Database) -> None:
    state = server_state(server.engine)
    assert state is not None
    assert state.summary.startswith({"postgresql": "PostgreSQL ", "mariadb": "MariaDB "}[server.kind])


# The file of SQLite -----------------------------------------------------------------------------------------------------


def test_a_file_has_no_server_state(sqlite: Database) -> None:
    assert server_state(sqlite.engine) is None


def _replace_file(database: Database, other: Path | None) -> Path:
    file = Path(str(database.engine.url.database))
    for side in ("", *SIDE_FILES):
        Path(f"{file}{side}").unlink(missing_ok=True)
    return file if other is None else other.rename(file)


def test_a_replaced_file_is_reopened(sqlite: Database, tmp_path: Path) -> None:
    empty = Path(shutil.copy(str(sqlite.engine.url.database), tmp_path / "empty.db"))
    sync(records(3), sqlite.engine)
    with Catalog(sqlite.url) as catalog:
        assert len(catalog.templates()) == 3
        _replace_file(sqlite, empty)
        assert len(catalog.templates()) == 0
        assert sync(records(5), sqlite.engine).run.added == 5
        assert len(catalog.templates()) == 5


def test_a_deleted_file_is_refused_and_not_created(sqlite: Database) -> None:
    sync(records(3), sqlite.engine)
    file = _replace_file(sqlite, None)
    with pytest.raises(SchemaError, match="There is no database at"):
        require_current_schema(sqlite.engine)
    assert not file.exists()
    assert isinstance(sync(records(3), sqlite.engine).error, SchemaError)
    assert not file.exists()


def test_a_run_whose_file_is_deleted_fails_at_once(sqlite: Database) -> None:
    sleeps: list[float] = []
    outcome = sync(Served(records(3), lambda: _replace_file(sqlite, None)), sqlite.engine, sleep=sleeps.append)
    assert isinstance(outcome.error, SchemaError)
    assert (str(outcome.unrecorded), sleeps) == (str(outcome.error), [])
