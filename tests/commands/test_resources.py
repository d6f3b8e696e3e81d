"""Limits of threads, memory and open files are reported with the limit to raise, not as a bug."""

from __future__ import annotations

import errno
import re
import threading
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from sync.catalog.served_records import RecordParser
from sync.config.resource_limits import resource_error
from tests.command_line import template_sync
from tests.daemons import DaemonProcess, rows, statuses

if TYPE_CHECKING:
    from pathlib import Path

    from tests.daemons import Upstream


SLICE = pytest.mark.ci_slice
NO_THREAD = "The operating system refused this process another thread."
NO_MEMORY = "The operating system refused this process more memory."
NO_FILE = "This process has reached its limit of open files."


@pytest.mark.parametrize("which", ["lease", "endpoint", "http"])
def test_a_run_without_a_free_thread_reports_the_limit_and_exits_with_75(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == which:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    refused = template_sync("run", folder=tmp_path, variables=upstream.settings())
    assert (refused.code, f"error: {NO_THREAD}" in refused.err) == (75, True), refused.err
    assert ("TasksMax" in refused.err, "bug" in refused.err) == (True, False), refused.err
    assert rows(tmp_path, "SELECT status, error_code FROM sync_runs") == [("failed", "resources")]
    monkeypatch.undo()
    assert template_sync("run", folder=tmp_path, variables=upstream.settings()).code == 0


def test_a_run_without_free_memory_reports_the_limit_and_exits_with_75(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RecordParser, "parse_page", mock.Mock(side_effect=MemoryError))
    refused = template_sync("run", folder=tmp_path, variables=upstream.settings())
    assert (refused.code, f"error: {NO_MEMORY}" in refused.err, "MemoryMax" in refused.err) == (75, True, True), refused.err
    assert statuses(tmp_path) == ["failed"]
    shown = template_sync("status", folder=tmp_path, variables=upstream.settings())
    assert "this machine: a limit of threads, memory or open files" in shown.out


@pytest.mark.parametrize("error", [
    "MemoryError()",
    'ImportError("libx.so: failed to map segment from shared object")',
    'SystemError("<function f> returned NULL without setting an exception")',
])  # fmt: skip
@pytest.mark.parametrize("module", ["click", "sync.commands.output", "sqlalchemy", "alembic"])
def test_an_import_without_free_memory_reports_the_limit(upstream: Upstream, tmp_path: Path, module: str, error: str) -> None:
    """A limit of the operating system would not do: at some sizes CPython 3.11 itself loops or crashes in its imports."""
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys\nclass Refuse:\n    def find_spec(self, name, *_):\n        if name == {module!r}: raise {error}\n"
        "sys.meta_path.insert(0, Refuse())\n"
    )
    refused = template_sync("run", folder=tmp_path, variables=upstream.settings(PYTHONPATH=str(tmp_path)))
    assert (refused.code, refused.out) == (75, "")
    assert refused.err.startswith(f"error: {NO_MEMORY}\n"), refused.err
    assert not re.search("Unexpected|Traceback", refused.err), refused.err


LOWER_THE_LIMIT = """\
import resource, socket
owner, name = {"name": (socket, "getaddrinfo"), "connect": (socket, "create_connection"), "dup": (socket.socket, "dup")}[WHICH]
original = getattr(owner, name)
def limited(*arguments, **options):
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    return original(*arguments, **options)
setattr(owner, name, limited)
"""


@pytest.mark.parametrize("which", ["name", pytest.param("connect", marks=SLICE), pytest.param("dup", marks=SLICE)])
@pytest.mark.parametrize("command", ["run --dry-run", pytest.param("doctor", marks=SLICE)])
def test_a_request_without_a_free_file_descriptor_reports_the_limit_instead_of_the_network(
    upstream: Upstream, tmp_path: Path, command: str, which: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(LOWER_THE_LIMIT.replace("WHICH", repr(which)))
    variables = upstream.settings(CRUN_BASE_URL=upstream.url.replace("127.0.0.1", "localhost"), PYTHONPATH=str(tmp_path))
    refused = template_sync(*command.split(), folder=tmp_path, variables=variables)
    output = refused.out + refused.err
    assert (refused.code, "his process has reached its limit of open files" in output) == (75, True), output
    assert "→ Raise the limit (systemd LimitNOFILE, ulimit -n), or stop other programs." in output
    assert not re.search("Check the network|bug", output), output


@pytest.mark.ci_slice
def test_a_daemon_without_free_threads_continues_when_they_are_available(upstream: Upstream, tmp_path: Path) -> None:
    folder = tmp_path / "startup"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import os, threading\n"
        "start = threading.Thread.start\n"
        "def refuse(thread):\n"
        "    if thread.name in {'endpoint', 'plan', 'ping', 'metrics'} and os.path.exists('limit'):\n"
        '        raise RuntimeError("can\'t start new thread")\n'
        "    start(thread)\n"
        "threading.Thread.start = refuse\n"
    )
    (tmp_path / "limit").touch()
    variables = upstream.settings(
        PYTHONPATH=str(folder), SYNC_INTERVAL="0.2s", SYNC_HTTP_PORT="0", SYNC_PING_URL="http://127.0.0.1:9/"
    )
    with DaemonProcess(tmp_path, variables) as daemon:
        daemon.wait_for("run_finished", 2, error_code="resources")
        assert daemon.probe("/livez")[0] == daemon.probe("/metrics")[0] == 200
        (tmp_path / "limit").unlink()
        daemon.wait_for("run_finished", status="succeeded")
        assert daemon.stop() == 0
    assert "Traceback" not in daemon.output
    assert not daemon.events("run_crashed")


@pytest.mark.parametrize(("error", "message"), [
    (RuntimeError("can't start new thread"), NO_THREAD),
    (MemoryError(), NO_MEMORY),
    (OSError(errno.ENOMEM, "Cannot allocate memory"), NO_MEMORY),
    (ImportError("libx.so: failed to map segment from shared object"), NO_MEMORY),
    (SystemError("error return without exception set"), NO_MEMORY),
    (SystemError("<function f> returned NULL without setting an exception"), NO_MEMORY),
    (OSError(errno.EMFILE, "Too many open files"), NO_FILE),
    (OSError(errno.ENFILE, "Too many open files in system"), NO_FILE),
])  # fmt: skip
def test_each_error_of_a_resource_limit_is_recognised(error: Exception, message: str) -> None:
    assert str(resource_error(error)) == message


@pytest.mark.parametrize("error", [RuntimeError("no"), ImportError("no"), OSError(errno.ENOENT, "no"), KeyError("no")])
def test_other_errors_are_not_errors_of_a_resource_limit(error: Exception) -> None:
    assert resource_error(error) is None
