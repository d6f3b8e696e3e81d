"""Options of a DATABASE_URL that cannot be used: an error of configuration or database that names the option, file or host."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from tests.command_line import environment, template_sync
from tests.conftest import server_url

if TYPE_CHECKING:
    from pathlib import Path

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


@pytest.mark.parametrize(("kind", "option", "code", "words"), SERVER_OPTIONS, ids=lambda value: str(value)[:24])
def test_an_option_of_a_server_that_cannot_be_used_is_named(
    kind: str, option: str, code: int, words: str, tmp_path: Path
) -> None:
    if "one.pem" in option:
        for name in ("one", "two"):
            make_key_pair(tmp_path, name)
    url = server_url(kind).replace("?ssl_disabled=1", "")
    refused = status_at(f"{url}{'&' if '?' in url else '?'}{option.format(folder=tmp_path)}", tmp_path)
    assert (refused.code, words.format(folder=tmp_path) in refused.err) == (code, True), refused.err
    assert "bug" not in refused.err


def make_key_pair(folder: Path, name: str) -> None:
    files = ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj", "/CN=x"]
    subprocess.run(["openssl", "req", "-x509", *kind, *files], check=True, capture_output=True)


@pytest.mark.parametrize(("url", "words"), [
    ("sqlite:///templates.db?bogus=1", "the option bogus cannot be used"),
    ("sqlite:///templates.db?isolation_level=x", "the option isolation_level cannot be used"),
    ("sqlite:///templates.db?detect_types=3", "the option detect_types cannot be used"),
    ("sqlite:///templates.db?timeout=abc", "its driver refuses the option timeout"),
    ("sqlite:///templates.db?mode=memory", "in-memory"),
    ("sqlite:///templates.db?mode=bogus", "mode is ro, rw or rwc"),
    ("sqlite+aiosqlite:///templates.db", "the driver aiosqlite cannot be used; write sqlite://"),
    ("postgresql+psycopg2://u@127.0.0.1/x", "the driver psycopg2 cannot be used; write postgresql://"),
    ("postgresql+asyncpg://u@127.0.0.1/x", "the driver asyncpg cannot be used; write postgresql://"),
    ("mysql+mysqldb://u@127.0.0.1/x", "the driver mysqldb cannot be used; write mysql://"),
])  # fmt: skip
def test_an_option_of_sqlite_or_another_driver_is_named(url: str, words: str, sqlite: Database, tmp_path: Path) -> None:
    assert sqlite.url.endswith("templates.db")
    refused = status_at(url, tmp_path)
    assert (refused.code, words in refused.err) == (78, True), refused.err
    assert "crun-template-sync[" not in refused.err


def test_sqlite_s_read_only_mode_is_kept(sqlite: Database, tmp_path: Path) -> None:
    read_only = {"DATABASE_URL": "sqlite:///templates.db?mode=ro", "CRUN_API_KEY": "k", "CRUN_BASE_URL": "http://127.0.0.1:9"}
    assert sqlite.url.endswith("templates.db")
    assert template_sync("status", folder=tmp_path, variables=read_only).code == 0
    refused = template_sync("run", folder=tmp_path, variables=read_only)
    assert (refused.code, "mode=ro" in refused.err) == (69, True), refused.err


def test_a_table_that_may_not_be_read_is_a_missing_grant_and_no_missing_folder(database: Database, tmp_path: Path) -> None:
    if database.kind == "sqlite":
        pytest.skip("SQLite has no grants")
    account, identified = {"postgresql": ("sync_test_stranger", "LOGIN PASSWORD 'x'"), "mariadb": ("sync_test_stranger", "")}[
        database.kind
    ]
    name = database.engine.url.database
    make = f"CREATE USER {account} {identified}" if database.kind == "postgresql" else f"CREATE USER {account} IDENTIFIED BY 'x'"
    grant = [] if database.kind == "postgresql" else [f"GRANT SELECT ON {name}.sync_alembic_version TO {account}"]
    for statement in (f"DROP USER IF EXISTS {account}", make, *grant):
        database.execute(statement)
    try:
        url = database.engine.url.set(username=account, password="x", drivername=database.kind)
        refused = status_at(url.render_as_string(hide_password=False), tmp_path)
    finally:
        database.execute(f"DROP USER {account}")
    assert (refused.code, "Grant this user" in refused.err, "directory" in refused.err) == (69, True, False), refused.err


def test_a_process_without_free_file_descriptors_says_so(sqlite: Database, tmp_path: Path) -> None:
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
    """Greet as MariaDB does, and ask for a kind of authentication whose package is not installed."""
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


def test_an_account_whose_authentication_needs_a_package_names_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = threading.Thread(target=ed25519_server, args=(listening,), daemon=True)
        serving.start()
        refused = status_at(f"mariadb://u:secret@127.0.0.1:{listening.getsockname()[1]}/x?ssl_disabled=1", tmp_path)
        serving.join(10)
    assert (refused.code, "pynacl" in refused.err.lower(), "secret" in refused.err) == (78, True, False), refused.err


@pytest.mark.parametrize("line", ["status", "run", "db upgrade", "db check"])
def test_an_empty_search_path_is_not_taken_for_an_empty_database(line: str, tmp_path: Path) -> None:
    url = server_url("postgresql")
    as_a_pooler_left_it = f"{url}{'&' if '?' in url else '?'}options=-c%20search_path%3D"
    variables = {"DATABASE_URL": as_a_pooler_left_it, "CRUN_API_KEY": "k", "CRUN_BASE_URL": "http://127.0.0.1:9"}
    refused = template_sync(*line.split(), folder=tmp_path, variables=variables)
    assert (refused.code, "search_path" in refused.err, "db upgrade" in refused.err) == (69, True, False), refused.err
