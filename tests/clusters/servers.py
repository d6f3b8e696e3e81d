"""Real pairs and clusters on loopback: PostgreSQL with a standby, MariaDB with a replica, the nodes of a Galera cluster."""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sync.store.engine import open_engine
from tests.faults import on_each_statement, wait_for
from tests.servers import Server, as_user, binary, free_port, mariadb_in, own_folder, postgresql, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PROVIDERS = ("/usr/lib/galera/libgalera_smm.so", "/usr/lib64/galera-4/libgalera_smm.so")

_IMPATIENT = "evs.keepalive_period=PT0.4S;evs.suspect_timeout=PT2S;evs.inactive_timeout=PT4S"
"""Time-outs of a node that does not respond, shorter than the 5 s and 15 s of a real cluster."""


def address(server: Server) -> str:
    """Return the host and port of a server."""
    url = open_engine(server.url).url
    return f"{url.host}:{url.port}"


def both(*servers: Server) -> str:
    """Return a URL with several hosts."""
    first = open_engine(servers[0].url).url
    kind = {"postgresql": "postgresql", "mysql": "mariadb"}[first.get_backend_name()]
    return f"{kind}://{first.username}@{','.join(map(address, servers))}/{first.database}"


def query(server: Server, statement: str) -> object:
    """Run one statement on one server in autocommit mode; return its first value, if it has one."""
    engine = open_engine(server.url)
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            result = connection.exec_driver_sql(statement)
            return result.scalar() if result.returns_rows else None
    finally:
        engine.dispose()


@contextmanager
def postgresql_pair() -> Iterator[tuple[Server, Server]]:
    """A PostgreSQL primary, and a hot standby that follows it."""
    with postgresql() as primary, own_folder("postgres") as folder:
        port, url = free_port(), open_engine(primary.url).url
        subprocess.run(
            [binary("pg_basebackup"), "-D", f"{folder}/data", "-R", "-X", "stream", "-c", "fast",
             "-d", f"host={url.host} port={url.port} user=postgres application_name=standby"],
            check=True, capture_output=True, cwd=folder, **as_user("postgres"),
        )  # fmt: skip
        command = [
            binary("postgres"), "-D", f"{folder}/data", "-p", str(port), "-h", "127.0.0.1", "-k", "",
            "-c", "fsync=off", "-c", "wal_receiver_status_interval=1",
        ]  # fmt: skip
        standby = Server("postgres", command, f"postgresql://postgres@127.0.0.1:{port}/postgres", folder, signal.SIGQUIT)
        for server in running(standby):
            wait_for(lambda: query(primary, "SELECT count(*) FROM pg_stat_replication") == 1)
            yield primary, server


def promote(standby: Server) -> None:
    """Make a standby the primary."""
    if standby.url.startswith("postgresql"):
        query(standby, "SELECT pg_promote()")
        return
    query(standby, "STOP SLAVE")
    query(standby, "RESET SLAVE ALL")
    query(standby, "SET GLOBAL read_only = 0")


def caught_up(primary: Server, standby: Server) -> bool:
    """Return whether a standby or replica has replayed all that its primary wrote."""
    if standby.url.startswith("postgresql"):
        written = query(primary, "SELECT pg_current_wal_lsn()")
        return not query(standby, f"SELECT pg_last_wal_replay_lsn() < '{written}'")
    return query(primary, "SELECT @@gtid_binlog_pos") == query(standby, "SELECT @@gtid_current_pos")


def cut_off(standby: Server) -> None:
    """Stop the replication of a standby, so that it lags."""
    if standby.url.startswith("postgresql"):
        query(standby, "ALTER SYSTEM SET primary_conninfo = ''")
        query(standby, "SELECT pg_reload_conf()")
        wait_for(lambda: query(standby, "SELECT count(*) FROM pg_stat_wal_receiver") == 0)
    else:
        query(standby, "STOP SLAVE IO_THREAD")


def before_statements(engine: sa.Engine, part: str, act: Callable[[], object], times: int = 1) -> list[str]:
    """Act before each of the first statements that contain a text; return these statements, a list that grows."""
    met: list[str] = []

    def meet(statement: str) -> None:
        if part in statement and len(met) < times:
            met.append(statement)
            act()

    on_each_statement(engine, meet)
    return met


MOMENTS = ("in the middle", "just before its COMMIT", "when it is committed and no answer has arrived")


def when_a_run_is_applied(engine: sa.Engine, moment: str, act: Callable[[], None]) -> None:
    """Act once in the transaction that applies a run, at one of `MOMENTS`; after the last one its connection is broken."""
    applying: list[int] = []
    commit, broken = engine.dialect.do_commit, engine.dialect.loaded_dbapi.OperationalError

    def note(statement: str) -> None:
        if "template_changes (" in statement and not applying:
            applying.append(threading.get_ident())
            if moment == MOMENTS[0]:
                act()

    def do_commit(connection: Any) -> None:
        here = applying == [threading.get_ident()] and moment != MOMENTS[0]
        if here:
            applying.append(0)  # once
        if here and moment == MOMENTS[1]:
            act()
        commit(connection)
        if here and moment == MOMENTS[2]:
            act()
            raise broken("the connection broke before the answer came")

    on_each_statement(engine, note)
    engine.dialect.do_commit = do_commit  # type: ignore[method-assign, assignment]  # the dialect of this engine


@contextmanager
def mariadb_pair() -> Iterator[tuple[Server, Server]]:
    """A MariaDB primary, and a replica that follows it by GTID and is `read_only`."""
    with ExitStack() as stack:
        folders = [stack.enter_context(own_folder("mysql")) for _ in range(2)]
        servers = []
        for number, folder in enumerate(folders, 1):
            options = ["--log-bin=binlog", f"--server-id={number}", "--gtid-strict-mode=1"]
            servers.append(stack.enter_context(mariadb_in(folder, options, read_only=number == 2)))
        primary, replica = servers
        url = open_engine(primary.url).url
        query(replica, f"CHANGE MASTER TO master_host='{url.host}', master_port={url.port}, master_user='root', "
            "master_use_gtid=slave_pos, master_connect_retry=1")  # fmt: skip
        query(replica, "START SLAVE")
        yield primary, replica


@contextmanager
def galera(count: int) -> Iterator[list[Server]]:
    """A Galera cluster of some nodes; without its library the test is skipped with the reason."""
    provider = next((each for each in _PROVIDERS if Path(each).exists()), None)
    if provider is None or shutil.which("rsync") is None:
        pytest.skip("galera-4 and rsync are not installed here")
    with ExitStack() as stack:
        ports = [free_port() for _ in range(count)]
        members = ",".join(f"127.0.0.1:{each}" for each in ports)
        nodes: list[Server] = []
        for number, port in enumerate(ports):
            options = [
                "--wsrep-on=1", f"--wsrep-provider={provider}", "--wsrep-cluster-name=test", f"--wsrep-node-name=node{number}",
                f"--wsrep-cluster-address=gcomm://{members}", "--wsrep-sst-method=rsync", "--binlog-format=ROW",
                f"--wsrep-provider-options=base_port={port};gcache.size=8M;ist.recv_addr=127.0.0.1:{free_port()};{_IMPATIENT}",
                "--wsrep-node-address=127.0.0.1", f"--wsrep-sst-receive-address=127.0.0.1:{free_port()}",
                "--innodb-autoinc-lock-mode=2", "--innodb-log-file-size=8M", "--innodb-flush-log-at-trx-commit=2",
            ]  # fmt: skip
            folder = stack.enter_context(own_folder("mysql"))
            found_it = ["--wsrep-new-cluster"] if number == 0 else []
            nodes.append(stack.enter_context(mariadb_in(folder, [*options, *found_it])))
            nodes[-1].command = nodes[-1].command[: len(nodes[-1].command) - len(found_it)]  # once only
            wait_for(partial(_is_synced, nodes[-1], number + 1), within=60)
        yield nodes


def _is_synced(node: Server, size: int) -> bool:
    engine = open_engine(node.url)
    with engine.connect() as connection:
        found = {name: value for name, value in connection.execute(sa.text("SHOW STATUS LIKE 'wsrep_%'"))}  # noqa: C416 - rows are not pairs
    engine.dispose()
    return found.get("wsrep_local_state_comment") == "Synced" and int(found["wsrep_cluster_size"]) == size
