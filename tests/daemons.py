"""The daemon as a process, and an API server that can delay its responses."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from email.utils import formatdate
from signal import Signals
from typing import TYPE_CHECKING, Any, Self, TypeVar

from sync.sandbox.responses import list_templates
from sync.sandbox.server import SANDBOX_KEY
from tests.command_line import environment
from tests.hostile import Hostile, Reply, Request, as_json
from tests.monitoring.figures import samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

T = TypeVar("T")
PATIENCE = 25.0  # seconds; expected events occur within one, but the machine may be busy


def until(look: Callable[[], T | None], what: str, within: float = PATIENCE) -> T:
    """Call `look` until it returns something true; fail with `what` after the timeout."""
    ends = time.monotonic() + within
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < ends, f"timeout: {what}"
        time.sleep(0.01)


class Upstream(Hostile):
    """A server of a catalog that can delay its responses, or send another one.

    Attributes:
        gate: while it is cleared, every response waits.
        reply: status, body and headers to send instead.
        held: number of requests that waited.
        keys: the accepted keys.
    """

    def __init__(self, catalog: Sequence[dict[str, Any]]) -> None:
        super().__init__(self._answer)
        self.catalog = catalog
        self.gate = threading.Event()
        self.gate.set()
        self.reply: tuple[int, dict[str, Any], dict[str, str]] | None = None
        self.held = 0
        self.keys = {SANDBOX_KEY}

    def __exit__(self, *of: object) -> None:
        self.gate.set()
        super().__exit__(*of)

    @property
    def shown(self) -> list[str]:
        """The keys of the requests."""
        return [request.headers.get("x-api-key", "") for request in self.requests]

    def refuse(self, code: int, **headers: str) -> None:
        """Send this code from now on."""
        self.reply = (code, {"code": code, "message": "no"}, {name.replace("_", "-"): value for name, value in headers.items()})

    def hold_a_run(self) -> None:
        """Delay every response from now on, and wait until a run waits for one."""
        self.held = 0
        self.gate.clear()
        until(lambda: self.held, "a run that waits for a response")

    def settings(self, **more: str) -> dict[str, str]:
        """Return the settings for this server."""
        return {"CRUN_BASE_URL": self.url, "CRUN_API_KEY": SANDBOX_KEY, "SYNC_RATE": "0", **more}

    def _answer(self, request: Request) -> Reply:
        if not self.gate.wait(0):
            self.held += 1
            self.gate.wait(60)
        status, answer, headers = self.reply or self._page(request)
        # Announced, because an immediate retry could use a connection that is closed at that moment.
        sent = {"date": formatdate(usegmt=True), "connection": "close", **headers}
        return as_json(answer, status=status, headers=tuple(sent.items()), end="close")

    def _page(self, request: Request) -> tuple[int, dict[str, Any], dict[str, str]]:
        if request.headers.get("x-api-key") not in self.keys:
            return 401, {"code": 401, "message": "unknown key"}, {}
        return 200, list_templates(self.catalog, request.query), {}


class DaemonProcess:
    """A process of `template-sync daemon`, and its output."""

    def __init__(self, folder: Path, variables: dict[str, str], *arguments: str) -> None:
        self.folder = folder
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sync", "daemon", *arguments],
            cwd=folder, env=environment(**{"SYNC_INTERVAL": "1h", **variables}), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join(PATIENCE)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with suppress(ValueError):  # closed
            for line in self._process.stdout:
                self.lines.append(line)

    @property
    def output(self) -> str:
        """Its output."""
        return "".join(self.lines)

    @property
    def pid(self) -> int:
        return self._process.pid

    def events(self, name: str, **fields: Any) -> list[dict[str, Any]]:
        """Return the log lines of one event."""
        found = []
        for line in list(self.lines):
            with suppress(json.JSONDecodeError):
                event = json.loads(line)
                if event.get("event") == name and fields.items() <= event.items():
                    found.append(event)
        return found

    def wait_for(self, name: str, count: int = 1, **fields: Any) -> dict[str, Any]:
        """Wait for the n-th such event."""

        def look() -> dict[str, Any] | None:
            found = self.events(name, **fields)
            if len(found) >= count:
                return found[count - 1]
            assert self._process.poll() is None or self._reader.is_alive(), f"the process ended: {self.output}"
            return None

        try:
            return until(look, f"{count} × {name} {fields}")
        except AssertionError as error:
            raise AssertionError(f"{error}; output:\n{self.output[-3000:]}") from None

    def wait_for_more(self, count: int, name: str, **fields: Any) -> None:
        """Wait for that many further such events."""
        self.wait_for(name, len(self.events(name, **fields)) + count, **fields)

    def send(self, number: Signals) -> None:
        self._process.send_signal(number)

    def end(self, within: float = PATIENCE) -> int:
        """Wait until it has ended; return its exit code."""
        code = self._process.wait(within)
        self._reader.join(PATIENCE)
        return code

    def stop(self, number: Signals = Signals.SIGTERM, within: float = PATIENCE) -> int:
        """Send a signal, and wait until it has ended."""
        self.send(number)
        return self.end(within)

    @property
    def port(self) -> int:
        """Port of its probes."""
        return int(self.wait_for("probes_listen")["port"])

    def probe(self, path: str) -> tuple[int, str]:
        """Request one of its probes."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read().decode()

    def metrics(self) -> dict[str, float]:
        """Return its metrics."""
        return samples(self.probe("/metrics")[1])

    def wait_until_still(self) -> None:
        """Wait until it has used no processor time for a while."""

        def used() -> str:
            with open(f"/proc/{self.pid}/stat") as file:  # noqa: PTH123 - a file of the kernel's
                return " ".join(file.read().rpartition(")")[2].split()[11:13])

        def look() -> bool:
            before = used()
            time.sleep(0.25)
            return used() == before

        until(look, "the daemon to wait")


def rows(folder: Path, query: str = "SELECT run_id, status FROM sync_runs ORDER BY run_id") -> list[Any]:
    """Query the SQLite database in a folder."""
    connection = sqlite3.connect(folder / "templates.db", timeout=PATIENCE)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def statuses(folder: Path) -> list[str]:
    """Return the statuses of all runs, oldest first."""
    return [status for _, status in rows(folder)]


def next_run_at(folder: Path) -> str | None:
    """Return the stored time of the next run."""
    planned: str | None = rows(folder, "SELECT max(next_run_at) FROM planned_runs")[0][0]
    return planned


@contextmanager
def write_lock(folder: Path) -> Iterator[Callable[[], None]]:
    """Hold the write lock of the SQLite database; yield the function that releases it."""
    connection = sqlite3.connect(folder / "templates.db", timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")

    def release() -> None:
        if connection.in_transaction:
            connection.execute("ROLLBACK")

    try:
        yield release
    finally:
        release()
        connection.close()
