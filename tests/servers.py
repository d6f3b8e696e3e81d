"""Database servers and a pooler for one test, on free ports, which may be killed; the shared servers are not used."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sync.errors import DatabaseError
from sync.store.engine import open_engine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SBIN = "/usr/sbin:/sbin:/usr/local/sbin"


def binary(name: str) -> str:
    """Find a server's binary; without it the test is skipped with the reason."""
    places = [os.environ.get("PATH", ""), _SBIN, *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))]
    found = shutil.which(name, path=":".join(places))
    if found is None:
        pytest.skip(f"{name} is not installed here")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A server process on its own port that can be killed and restarted.

    Args:
        user: the user of the process if root runs the tests, because servers refuse root.
        command: starts it in the foreground.
        url: of its database.
        crash: the signal that ends it at once.
    """

    def __init__(self, user: str, command: Sequence[str], url: str, folder: Path, crash: signal.Signals) -> None:
        self.url = url
        self._user, self.command, self.folder, self._crash = user, list(command), folder, crash
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, within: float = 30) -> None:
        """Start it unless it runs, and wait at most `within` seconds until it accepts connections."""
        if self._process is not None:
            return
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self.command, stdout=log, stderr=log, **as_user(self._user), cwd=self.folder)
        ends = time.monotonic() + within
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "log").read_text()[-2000:]
            assert time.monotonic() < ends, "the server did not start"
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as a power failure does."""
        self.stop(self._crash)

    def freeze(self) -> None:
        """Suspend it: its connections stay open, and nothing is answered."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume it."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        """Signal the process and its children: PostgreSQL has one for each connection."""
        assert self._process is not None
        for pid in (self._process.pid, *self.children):
            with suppress(ProcessLookupError):  # a child that has just ended
                os.kill(pid, number)

    @property
    def children(self) -> list[int]:
        """PIDs of its child processes."""
        assert self._process is not None
        listed = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return [int(pid) for pid in listed.read_text().split()] if listed.exists() else []

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        if self._process is not None:
            self.thaw()
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def _answers(self) -> bool:
        from sync.store.database_errors import translate_errors

        engine = open_engine(self.url)
        try:
            with translate_errors(engine), engine.connect():
                return True
        except DatabaseError:
            return False
        finally:
            engine.dispose()


def as_user(user: str) -> dict[str, Any]:
    return {"user": user, "group": user} if os.geteuid() == 0 else {}


@contextmanager
def own_folder(user: str) -> Iterator[Path]:
    """Make a folder that another user owns; those of pytest are closed to other users."""
    folder = Path(tempfile.mkdtemp(prefix="sync-test-"))
    if os.geteuid() == 0:
        shutil.chown(folder, user, user)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgresql() -> Iterator[Server]:
    """Run a PostgreSQL server."""
    initdb, postgres = binary("initdb"), binary("postgres")
    with own_folder("postgres") as folder:
        port = free_port()
        subprocess.run(
            [initdb, "-D", f"{folder}/data", "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C.UTF-8"],
            check=True, capture_output=True, cwd=folder, **as_user("postgres"),
        )  # fmt: skip
        command = [postgres, "-D", f"{folder}/data", "-p", str(port), "-h", "127.0.0.1", "-k", "", "-c", "fsync=off"]
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        yield from running(Server("postgres", command, url, folder, signal.SIGQUIT))


@contextmanager
def mariadb() -> Iterator[Server]:
    """Run a MariaDB server."""
    with own_folder("mysql") as folder, mariadb_in(folder, ["--skip-log-bin"]) as server:
        yield server


@contextmanager
def mariadb_in(folder: Path, options: Sequence[str], *, read_only: bool = False) -> Iterator[Server]:
    """Run a MariaDB server in a folder, with a database `catalog` and these options."""
    install, mariadbd = binary("mariadb-install-db"), binary("mariadbd")
    port = free_port()
    # A server deletes all temporary tables in this folder when it starts: in /tmp, also those of other servers.
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        shutil.chown(temporary, "mysql", "mysql")
    subprocess.run(
        [install, "--no-defaults", f"--datadir={folder}/data", "--auth-root-authentication-method=normal", "--skip-test-db",
         f"--tmpdir={temporary}"],
        check=True, capture_output=True, cwd=folder, **as_user("mysql"),
    )  # fmt: skip
    (folder / "data" / "catalog").mkdir()
    if os.geteuid() == 0:
        shutil.chown(folder / "data" / "catalog", "mysql", "mysql")
    command = [
        mariadbd, "--no-defaults", f"--datadir={folder}/data", f"--socket={folder}/socket", f"--pid-file={folder}/pid",
        f"--tmpdir={temporary}", f"--port={port}", "--bind-address=127.0.0.1", "--innodb-buffer-pool-size=16M",
        *(["--read-only"] if read_only else []), *options,
    ]  # fmt: skip
    yield from running(Server("mysql", command, f"mariadb://root@127.0.0.1:{port}/catalog", folder, signal.SIGKILL))


@contextmanager
def pgbouncer(url: str) -> Iterator[str]:
    """Run a transaction-pooling PgBouncer for a PostgreSQL database; yield its URL."""
    program = binary("pgbouncer")
    target = open_engine(url).url
    with own_folder("postgres") as folder:
        port = free_port()
        (folder / "ini").write_text(
            f"[databases]\n* = host={target.host} port={target.port or 5432} user={target.username}"
            f"{f' password={target.password}' if target.password else ''}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
            "pool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 50\n"
        )
        through = target.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
        yield from (
            server.url for server in running(Server("postgres", [program, f"{folder}/ini"], through, folder, signal.SIGKILL))
        )


def running(server: Server) -> Iterator[Server]:
    try:
        server.start()
        yield server
    finally:
        server.kill()
