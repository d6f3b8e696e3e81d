"""Options and faults of a database: which option cannot be used, what the next run does, and what the checks report."""

from __future__ import annotations

import json
import os
import resource
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sync.sandbox.server import Sandbox
from sync.store.tables import VIEWS, metadata, sync_runs
from tests.builders import record, records, run_with
from tests.command_line import environment, of_sandbox, template_sync
from tests.conftest import server_url
from tests.faults import sync
from tests.servers import mariadb_in, own_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.builders import Database
    from tests.command_line import Result


def status_at(url: str, folder: Path) -> Result:
    return template_sync("status", folder=folder, variables={"DATABASE_URL": url})


SERVER_OPTIONS = [
    ("mariadb", "ssl=true", 78, "the option ssl cannot be used"),
    ("mariadb", "use_unicode=0", 78, "the option use_unicode cannot be used"),
    ("mariadb", "conv=x", 78, "the option conv cannot be used"),
    ("mariadb", "auth_plugin_map=x", 78, "the option auth_plugin_map cannot be used"),
    ("mariadb", "compress=1", 78, "the option compress cannot be used"),
    ("mariadb", "bogus=1", 78, "the option bogus cannot be used"),
    ("mariadb", "port=x", 78, "its driver refuses the option port"),
    ("mariadb", "client_flag=x", 78, "the option client_flag cannot be used"),
    ("mariadb", "ssl_ca=/no/such.pem", 78, "ssl_ca: /no/such.pem: No such file or directory"),
    ("mariadb", "ssl_ca={folder}", 78, "ssl_ca: {folder}: Is a directory"),
    ("mariadb", "ssl_cert={folder}/one.pem&ssl_key={folder}/two.key", 78, "ssl_cert, ssl_key: KEY_VALUES_MISMATCH"),
    ("mariadb", "unix_socket=/no/x", 69, "unix_socket"),
    ("postgresql", "row_factory=x", 78, "the option row_factory cannot be used"),
    ("postgresql", "cursor_factory=x", 78, "the option cursor_factory cannot be used"),
    ("postgresql", "prepare_threshold=x", 78, "the option prepare_threshold cannot be used"),
    ("postgresql", "bogus=1", 78, "its driver refuses the option bogus"),
    ("postgresql", "port=x", 78, "its driver refuses the option port"),
    ("postgresql", "connect_timeout=abc", 69, "connect_timeout"),
    ("postgresql", "sslmode=bogus", 69, "sslmode"),
]


@pytest.mark.parametrize(("kind", "option", "code", "message"), SERVER_OPTIONS, ids=lambda value: str(value)[:24])
def test_an_unusable_option_of_a_server_is_reported(kind: str, option: str, code: int, message: str, tmp_path: Path) -> None:
    if "one.pem" in option:
        for name in ("one", "two"):
            make_key_pair(tmp_path, name)
    url = server_url(kind).replace("?ssl_disabled=1", "")
    refused = status_at(f"{url}{'&' if '?' in url else '?'}{option.format(folder=tmp_path)}", tmp_path)
    assert (refused.code, message.format(folder=tmp_path) in refused.err) == (code, True), refused.err
    assert "bug" not in refused.err


def make_key_pair(folder: Path, name: str) -> None:
    files = ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj", "/CN=x"]
    subprocess.run(["openssl", "req", "-x509", *kind, *files], check=True, capture_output=True)


@pytest.mark.parametrize(("url", "message"), [
    ("sqlite:///templates.db?bogus=1", "the option bogus cannot be used"),
    ("sqlite:///templates.db?isolation_level=x", "the option isolation_level cannot be used"),
    ("sqlite:///templates.db?detect_types=3", "the option detect_types cannot be used"),
    ("sqlite:///templates.db?timeout=abc", "its driver refuses the option timeout"),
    ("sqlite:///templates.db?mode=memory", "in-memory"),
    ("sqlite:///templates.db?mode=bogus", "mode is ro, rw or rwc"),
    ("sqlite:///file:", "in-memory"),
    ("sqlite:///file:%253Amemory%253A", "in-memory"),
    ("sqlite:///file:templates.db%3Fmode=memory", "contains a host, a # or an encoded ?"),
    ("sqlite:///file:templates.db#x", "contains a host, a # or an encoded ?"),
    ("sqlite:///file://localhost/templates.db", "contains a host, a # or an encoded ?"),
    ("sqlite+aiosqlite:///templates.db", "the driver aiosqlite cannot be used; write sqlite://"),
    ("postgresql+psycopg2://u@127.0.0.1/x", "the driver psycopg2 cannot be used; write postgresql://"),
    ("postgresql+asyncpg://u@127.0.0.1/x", "the driver asyncpg cannot be used; write postgresql://"),
    ("mysql+mysqldb://u@127.0.0.1/x", "the driver mysqldb cannot be used; write mysql://"),
])  # fmt: skip
def test_an_unusable_option_of_sqlite_or_driver_is_reported(url: str, message: str, sqlite: Database, tmp_path: Path) -> None:
    assert sqlite.url.endswith("templates.db")
    refused = status_at(url, tmp_path)
    assert (refused.code, message in refused.err) == (78, True), refused.err
    assert "crun-template-sync[" not in refused.err


def test_the_read_only_mode_of_sqlite_has_effect(sqlite: Database, tmp_path: Path) -> None:
    read_only = {"DATABASE_URL": "sqlite:///templates.db?mode=ro", "CRUN_API_KEY": "k", "CRUN_BASE_URL": "http://127.0.0.1:9"}
    assert sqlite.url.endswith("templates.db")
    assert template_sync("status", folder=tmp_path, variables=read_only).code == 0
    refused = template_sync("run", folder=tmp_path, variables=read_only)
    assert (refused.code, "mode=ro" in refused.err) == (69, True), refused.err


@pytest.mark.parametrize("name", [
    "file:templates.db", "file:templates.db?timeout=1", "templates.db?mode=ro&uri=true", "templates.db?uri=true",
    "templates.db?cache=private", "file:templates.db?mode=ro",
])  # fmt: skip
def test_each_form_of_the_name_is_the_same_sqlite_file(name: str, sqlite: Database, tmp_path: Path) -> None:
    assert sync([record("1")], sqlite.engine).error is None
    found = template_sync("list", "--json", folder=tmp_path, variables={"DATABASE_URL": f"sqlite:///{name}"})
    assert (found.code, [each["template_id"] for each in json.loads(found.out or "[]")]) == (0, ["1"]), found.err
    assert "Warning" not in found.err
    names = {file.name for file in tmp_path.iterdir()}
    assert names <= {"templates.db", "templates.db-wal", "templates.db-shm"}, "no other file is created"


@contextmanager
def account(database: Database, grants: Iterable[str]) -> Iterator[str]:
    """Create an account of a server with these grants; yield the URL with it. In a grant, {to} is its name, {in} the database."""
    if database.kind == "sqlite":
        pytest.skip("SQLite has no grants")
    postgresql, name = database.kind == "postgresql", f"sync_test_other_{os.getpid()}"
    database.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x'" if postgresql else f"CREATE USER {name} IDENTIFIED BY 'x'")
    try:
        for grant in grants:
            database.execute(grant.format_map({"to": name, "in": database.engine.url.database}))
        url = database.engine.url.set(username=name, password="x", drivername=database.kind)
        yield url.render_as_string(hide_password=False)
    finally:
        database.execute(f"DROP OWNED BY {name}" if postgresql else "SELECT 1")
        database.execute(f"DROP USER {name}")


def test_a_table_without_a_grant_is_reported_with_a_hint_to_grant(database: Database, tmp_path: Path) -> None:
    grants = ["GRANT SELECT ON {in}.sync_alembic_version TO {to}"] if database.kind == "mariadb" else []
    with account(database, grants) as url:
        refused = status_at(url, tmp_path)
    assert (refused.code, "Grant this user" in refused.err, "directory" in refused.err) == (69, True, False), refused.err


def test_a_process_without_free_file_descriptors_reports_the_limit(sqlite: Database, tmp_path: Path) -> None:
    assert sqlite.url.endswith("templates.db")
    code = (
        "import os, resource, sys; from sync.store.engine import open_engine, reading; from sync.reader import status; "
        "engine = open_engine('sqlite:///templates.db'); resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n"
        "try:\n    while True: os.dup(1)\nexcept OSError: pass\n"
        "try: status.overview(engine)\nexcept Exception as error: print(type(error).__name__, error.hint)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert "limit of open files" in done.stdout, (done.stdout, done.stderr)


def ed25519_server(listening: socket.socket) -> None:
    """Send a MariaDB greeting, then request an authentication plugin whose package is not installed."""
    connection, _ = listening.accept()
    with connection:
        greeting = (
            b"\x0a10.11.0-MariaDB\0" + struct.pack("<I", 1) + b"s" * 8 + b"\0" + struct.pack("<HBHHB", 0xFFFF, 45, 2, 0x81FF, 21)
        )
        greeting += b"\0" * 10 + b"s" * 12 + b"\0mysql_native_password\0"
        connection.sendall(struct.pack("<I", len(greeting))[:3] + b"\0" + greeting)
        connection.recv(4096)
        switch = b"\xfeclient_ed25519\0" + b"n" * 32 + b"\0"
        connection.sendall(struct.pack("<I", len(switch))[:3] + b"\x02" + switch)
        connection.recv(4096)


def test_an_authentication_that_needs_a_package_is_reported_with_its_name(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = threading.Thread(target=ed25519_server, args=(listening,), daemon=True)
        serving.start()
        refused = status_at(f"mariadb://u:secret@127.0.0.1:{listening.getsockname()[1]}/x?ssl_disabled=1", tmp_path)
        serving.join(10)
    assert (refused.code, "pynacl" in refused.err.lower(), "secret" in refused.err) == (78, True, False), refused.err


@pytest.mark.parametrize("line", ["status", "run", "db upgrade", "db check"])
def test_an_empty_search_path_is_reported_instead_of_missing_tables(line: str, tmp_path: Path) -> None:
    url = server_url("postgresql")
    without_search_path = f"{url}{'&' if '?' in url else '?'}options=-c%20search_path%3D"
    variables = {"DATABASE_URL": without_search_path, "CRUN_API_KEY": "k", "CRUN_BASE_URL": "http://127.0.0.1:9"}
    refused = template_sync(*line.split(), folder=tmp_path, variables=variables)
    assert (refused.code, "search_path" in refused.err, "db upgrade" in refused.err) == (69, True, False), refused.err


@pytest.mark.parametrize("copied", ["runs", "runs without the lease's row"])
def test_a_run_after_copied_rows_gets_the_next_run_id(database: Database, copied: str, tmp_path: Path) -> None:
    old = {"trigger": "run", "status": "succeeded", "started_at": datetime(2026, 1, 1, tzinfo=UTC), "holder": "another host"}
    with database.engine.begin() as connection:
        connection.execute(sa.insert(sync_runs), [{**old, "run_id": number, "fence": number} for number in range(1, 41)])
    if copied == "runs":
        database.execute("UPDATE sync_lease SET fence = 40")
    with Sandbox(records(3)) as sandbox:
        variables = of_sandbox(sandbox, DATABASE_URL=database.url)
        for run_id in (41, 42):
            ran = template_sync("run", "--json", folder=tmp_path, variables=variables)
            assert (ran.code, json.loads(ran.out)["run_id"]) == (0, run_id), ran.err
    assert template_sync("db", "check", folder=tmp_path, variables=variables).code == 0


def small_files() -> None:
    """Simulate a full disk: limit the size of files to a few pages."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (16384, resource.RLIM_INFINITY))


@pytest.mark.parametrize("fault", ["none", "full disk", pytest.param("damaged page", marks=pytest.mark.ci_slice)])
def test_doctor_has_the_exit_code_of_a_run_on_a_full_or_damaged_disk(fault: str, sqlite: Database, tmp_path: Path) -> None:
    run_with(records(50), sqlite.engine)
    sqlite.engine.dispose()
    file = Path(sqlite.url.removeprefix("sqlite:///"))
    if fault == "damaged page":
        with closing(sqlite3.connect(file)) as opened:
            (page,) = opened.execute("SELECT rootpage FROM sqlite_master WHERE name = 'template_versions'").fetchone()
            (size,) = opened.execute("PRAGMA page_size").fetchone()
        with file.open("r+b") as raw:
            raw.seek((page - 1) * size)
            raw.write(b"x" * size)
    before = file.read_bytes()
    with Sandbox(records(300)) as sandbox:
        variables = of_sandbox(sandbox, DATABASE_URL=sqlite.url)
        limits: dict[str, Any] = {"preexec_fn": small_files} if fault == "full disk" else {}
        variables["PYTHONDONTWRITEBYTECODE"] = "1"  # a truncated .pyc file would remain
        checked = template_sync("doctor", folder=tmp_path, variables=variables, **limits)
        unchanged = file.read_bytes() == before
        ran = template_sync("run", folder=tmp_path, variables=variables, **limits)
    code = 0 if fault == "none" else 69
    assert (checked.code, ran.code, unchanged) == (code, code, True), (checked.out, ran.err)


@pytest.mark.long
@pytest.mark.parametrize("row_format", ["compact", "redundant"])
def test_the_tables_work_with_any_default_row_format_of_mariadb(row_format: str, tmp_path: Path) -> None:
    with own_folder("mysql") as folder:
        options = ["--skip-log-bin", f"--innodb-default-row-format={row_format}"]
        with mariadb_in(folder, options) as server:
            server.start()
            variables = {"DATABASE_URL": f"{server.url}?ssl_disabled=1"}
            for command in ("upgrade", "check"):
                done = template_sync("db", command, folder=tmp_path, variables=variables)
                assert done.code == 0, done.err


def test_the_duration_of_a_run_includes_its_commit(sqlite: Database, tmp_path: Path) -> None:
    elapsed = [0.0]

    def pause(_connection: sa.Connection) -> None:
        elapsed[0] += 200.0  # as if the process were suspended in its commit

    clock = lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=elapsed[0])  # noqa: E731 - one expression
    sa.event.listen(sqlite.engine, "commit", pause)
    ran = run_with(records(3), sqlite.engine, clock=clock).run
    shown = template_sync("runs", "--json", folder=tmp_path, variables={"DATABASE_URL": sqlite.url})
    assert ran.seconds == 600.0  # three transactions: lease, apply, end of the run
    assert json.loads(shown.out)[0]["seconds"] == ran.seconds


@pytest.mark.ci_slice
@pytest.mark.parametrize("table", ["template_versions", "unconfirmed_removals"])
def test_doctor_reports_a_table_without_write_permission(database: Database, table: str, tmp_path: Path) -> None:
    """As after an upgrade by another role: the role of the program may only read the new tables."""
    if database.kind == "postgresql":
        grants = [f"GRANT ALL ON ALL {kind} IN SCHEMA public TO {{to}}" for kind in ("TABLES", "SEQUENCES")]
        grants += [f"REVOKE INSERT ON {table} FROM {{to}}"]
    else:
        names = [*metadata.tables, "sync_alembic_version", *VIEWS]
        grants = [f"GRANT {'SELECT' if each == table else 'ALL'} ON {{in}}.{each} TO {{to}}" for each in names]
    with account(database, grants) as url, Sandbox(records(3)) as sandbox:
        checked = template_sync("doctor", folder=tmp_path, variables=of_sandbox(sandbox, DATABASE_URL=url))
    assert (checked.code, table in checked.out, "Grant this user" in checked.out) == (69, True, True), checked.out
