"""Output: tables and colours on a terminal, the stderr of a service, a full or closed stdout; byte order marks in files."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from sync.commands.output import BackgroundStream
from sync.sandbox.server import SANDBOX_KEY, Sandbox
from sync.terminal.lines import wide
from tests.builders import record, run_with
from tests.command_line import environment, of_sandbox, template_sync
from tests.webhooks.receiver import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.builders import Database
    from tests.daemons import Upstream

STYLES = re.compile(r"\x1b\[[0-9;]*m")


def on_a_terminal(columns: int, *arguments: str, folder: Path) -> str:
    """Run a command on a terminal with this number of columns; return its output."""
    terminal, device = pty.openpty()
    fcntl.ioctl(device, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(
        [sys.executable, "-m", "sync", *arguments], cwd=folder, env=environment(TERM="xterm-256color"),
        stdin=device, stdout=device, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        os.close(device)
        shown = b""
        try:
            while piece := os.read(terminal, 65536):
                shown += piece
        except OSError:  # Linux raises EIO after the last writer closed it
            pass
        finally:
            os.close(terminal)
    assert process.returncode == 0
    return shown.decode()


@pytest.fixture
def folder(sqlite: Database) -> Path:
    """A folder whose database has long titles; a Chinese character takes two columns."""
    titles = {"Title": "战斗游戏" * 12, "Title_en": "A title that is longer than most terminals are wide"}
    run_with([record("1", **titles), record("2")], sqlite.engine)
    return Path(sqlite.url.removeprefix("sqlite:///")).parent


def test_a_table_fits_the_width_of_the_terminal(folder: Path) -> None:
    widths: dict[int, int] = {}
    for columns in (80, 120, 400):
        lines = [STYLES.sub("", line) for line in on_a_terminal(columns, "list", folder=folder).splitlines()]
        assert len(lines) == 3
        widths[columns] = max(map(wide, lines))
        assert "166.5" in lines[1], "a price is not cut"
    whole = template_sync("list", folder=folder).out
    assert widths[80] <= 80 < widths[120] <= 120 < widths[400] == max(map(wide, whole.splitlines()))


def test_at_80_columns_a_table_omits_the_tags_and_keeps_the_title(folder: Path) -> None:
    heading, first, *_ = [STYLES.sub("", line) for line in on_a_terminal(80, "list", folder=folder).splitlines()]
    assert heading.split() == ["ID", "TITLE", "PRICES", "INPUT"]
    assert "A title that is longer" in first


def test_a_table_has_colours_on_a_terminal_only(folder: Path) -> None:
    assert STYLES.search(on_a_terminal(120, "list", folder=folder))
    assert not STYLES.search(template_sync("list", folder=folder).out)


def test_a_line_break_in_a_name_of_the_catalog_begins_no_message(tmp_path: Path) -> None:
    forged = "New\nerror: forged"
    catalog = [record("1", **{forged: 1}), *(record(str(number), **{forged: 10**400}) for number in range(2, 30))]
    with Sandbox(catalog) as sandbox:
        result = template_sync("run", folder=tmp_path, variables=of_sandbox(sandbox, SYNC_LOG_LEVEL="error"))
    assert result.code == 76
    messages = [line.partition(":")[0] for line in result.err.splitlines() if "forged" in line and line[0] != "{"]
    assert messages == ["note", "note", "error"], result.err


def test_csv_on_a_terminal_shows_no_escaped_line_ends(folder: Path) -> None:
    shown = on_a_terminal(400, "export", "--format", "csv", folder=folder)
    assert shown.splitlines() == template_sync("export", "--format", "csv", folder=folder).out.splitlines()


TIMEOUT = 10.0


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    yield reader, writer
    os.close(reader)
    os.close(writer)


def test_lines_are_written_in_order_and_drain_waits_for_them(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    with open(writer, "w", closefd=False) as file:
        stream = BackgroundStream(file)
        for line in ("one\n", "two \ud800\n", "three\n"):
            stream.write(line)
        stream.drain(TIMEOUT)
    assert os.read(reader, 4096) == b"one\ntwo \\ud800\nthree\n"


def test_without_a_reader_no_write_blocks_and_dropped_lines_are_counted(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.write(writer, b"x" * 4096)
    with open(writer, "w", closefd=False) as file, capture_logs() as logs:
        stream = BackgroundStream(file, most=3)
        for number in range(20):
            stream.write(f"{number}\n")
        stream.drain(0.01)
        assert os.read(reader, 4096) == b"x" * 4096
        stream.drain(TIMEOUT)
        stream.write("later\n")
        stream.drain(TIMEOUT)
    lines = os.read(reader, 4096).decode().splitlines()
    assert lines[:3] == ["0", "1", "2"]
    assert lines[-1] == "later"
    dropped = sum(entry["count"] for entry in logs if entry["event"] == "log_lines_dropped")
    assert dropped + len(lines) - 1 == 20


def test_a_closed_pipe_raises_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", closefd=False) as file:
        stream = BackgroundStream(file)
        stream.write("one\n")
        stream.drain(TIMEOUT)
    os.close(writer)


OTHERS = [pytest.param(flag, marks=pytest.mark.ci_slice) for flag in ("--version run", "db --help", "db backup --help")]


@pytest.mark.parametrize("flag", ["--version", "--help", "run --help", *OTHERS])
def test_a_full_or_closed_stdout_is_an_error_without_a_traceback(flag: str, tmp_path: Path) -> None:
    program = f"{sys.executable} -m sync {flag}"
    lost = "error: The output could not be written"
    endings = ((">/dev/full", 1, lost), (">&-", 1, lost), (">/dev/full 2>&1", 1, ""))
    for redirection, code, message in endings:
        line = ["bash", "-c", f"{program} {redirection}"]
        done = subprocess.run(line, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr.startswith(message), "Traceback" in done.stderr) == (code, True, False), done.stderr


@pytest.mark.parametrize("flag", ["--help", "run --help"])
def test_a_reader_that_closes_the_pipe_of_a_help_text_is_no_error(flag: str, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    line = [sys.executable, "-m", "sync", *flag.split()]
    done = subprocess.run(line, cwd=tmp_path, env=environment(), stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_byte_order_mark_in_a_file_of_the_settings_is_ignored(upstream: Upstream, tmp_path: Path) -> None:
    hooks = '[[endpoint]]\nname = "shop"\nurl = "https://example.com/hook"\nsecret_file = "secret"\n'
    contents = {
        "key": SANDBOX_KEY, "url": f"sqlite:///{tmp_path}/templates.db", "hooks.toml": hooks, "secret": SECRET,
        ".env": "CRUN_API_KEY_FILE=key\nDATABASE_URL_FILE=url\n",
    }  # fmt: skip
    for name, text in contents.items():
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.encode() + b"\r\n")
        (tmp_path / name).chmod(0o600)
    settings = upstream.settings(SYNC_WEBHOOKS_FILE="hooks.toml")
    del settings["CRUN_API_KEY"]
    ran = template_sync("run", folder=tmp_path, variables=settings)
    assert ran.code == 0, ran.err
    checked = template_sync("doctor", folder=tmp_path, variables=settings)
    assert (checked.code, "✓ webhooks   1 endpoint" in checked.out) == (0, True), checked.out
    assert upstream.shown[0] == SANDBOX_KEY
