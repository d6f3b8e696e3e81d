"""The host of a connection, and the limits of its waits. Failover: tests/clusters."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from sync.errors import DatabaseAway
from sync.reader import status
from sync.store import connecting
from sync.store.doctor import server_state
from sync.store.engine import open_engine, reading
from tests.conftest import SERVERS, fresh
from tests.faults import AFTER, BEFORE, age_lease, anomalies, hear_statements, sync
from tests.proxy import Proxy
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.builders import Database


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, migrated: dict[str, str], tmp_path: Path) -> Iterator[Database]:
    """Each server in turn."""
    yield from fresh(request.param, migrated, tmp_path)


def _at(server: Database, *hosts: str) -> str:
    """Write a server's URL with other hosts in it."""
    url = server.engine.url
    password = f":{url.password}" if url.password else ""
    kind = {"postgresql": "postgresql", "mariadb": "mariadb"}[server.kind]
    return f"{kind}://{url.username}{password}@{','.join(hosts)}/{url.database}"


def _own(server: Database) -> tuple[str, int]:
    url = server.engine.url
    return url.host or "127.0.0.1", url.port or {"postgresql": 5432, "mariadb": 3306}[server.kind]


def test_the_next_host_is_taken_where_the_first_does_not_answer(server: Database) -> None:
    host, port = _own(server)
    engine = open_engine(_at(server, f"127.0.0.1:{free_port()}", f"{host}:{port}"))
    assert sync(BEFORE, engine).error is None
    assert status.overview(engine).present == 5
    engine.dispose()


def test_where_no_host_answers_the_message_names_them_all(server: Database) -> None:
    hosts = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    engine = open_engine(_at(server, *hosts))
    with pytest.raises(DatabaseAway, match=",".join(hosts)) as refused, reading(engine):
        pass
    assert refused.value.exit_code == 69


@pytest.mark.ci_slice
def test_a_server_that_stops_responding_fails_the_run_and_the_next_run_succeeds(
    server: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind a frozen pooler: the network shows nothing, and the limits of the server do not help."""
    monkeypatch.setattr(connecting, "IDLE_SECONDS", 1)
    monkeypatch.setattr(connecting, "ANSWER_MARGIN_SECONDS", 0)
    sync(BEFORE, server.engine)
    with Proxy(*_own(server)) as proxy:
        engine = open_engine(_at(server, f"127.0.0.1:{proxy.port}"))

        def freeze(statement: str) -> None:
            proxy.mute = proxy.mute or "sync_runs" in statement

        hear_statements(engine, freeze)
        error = sync(AFTER, engine).error
        assert isinstance(error, DatabaseAway)
        assert error.exit_code == 69
        engine.dispose()
    age_lease(server.engine)
    assert sync(AFTER, server.engine).error is None
    assert anomalies(server) == []


@pytest.mark.ci_slice
def test_a_host_that_accepts_and_does_not_respond_is_skipped(server: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "CONNECT_SECONDS", 2)  # the least that libpq takes
    host, port = _own(server)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        engine = open_engine(_at(server, f"127.0.0.1:{mute.getsockname()[1]}", f"{host}:{port}"))
        assert status.overview(engine).present == 0
        engine.dispose()


def test_a_server_reports_product_and_version(server: Database) -> None:
    state = server_state(server.engine)
    assert state is not None
    assert state.summary.startswith({"postgresql": "PostgreSQL ", "mariadb": "MariaDB "}[server.kind])


def test_a_file_has_no_server_state(sqlite: Database) -> None:
    assert server_state(sqlite.engine) is None
