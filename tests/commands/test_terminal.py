"""What a terminal shows: a table as wide as it is, with colours, and neither in a pipe."""

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

from sync.terminal.lines import wide
from tests.builders import record, run_with
from tests.command_line import environment, template_sync

if TYPE_CHECKING:
    from tests.builders import Database

STYLES = re.compile(r"\x1b\[[0-9;]*m")


def on_a_terminal(columns: int, *arguments: str, folder: Path) -> str:
    """Run a command on a terminal of so many columns; give what it shows."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(
        [sys.executable, "-m", "sync", *arguments],
        cwd=folder,
        env=environment(TERM="xterm-256color"),
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:  # how Linux says that nobody writes any more
            pass
        finally:
            os.close(ours)
    assert process.returncode == 0
    return shown.decode()


@pytest.fixture
def folder(sqlite: Database) -> Path:
    """Where a database lies with titles that are long, and wide: a Chinese character takes two columns."""
    titles = {"Title": "战斗游戏" * 12, "Title_en": "A title that is longer than most terminals have room for, by far"}
    run_with([record("1", **titles), record("2")], sqlite.engine)
    return Path(sqlite.url.removeprefix("sqlite:///")).parent


def test_a_table_takes_the_width_that_there_is_and_no_more(folder: Path) -> None:
    widths: dict[int, int] = {}
    for columns in (80, 120, 400):
        lines = [STYLES.sub("", line) for line in on_a_terminal(columns, "list", folder=folder).splitlines()]
        assert len(lines) == 3
        widths[columns] = max(map(wide, lines))
        assert "166.5" in lines[1], "a price is not cut"
    whole = template_sync("list", folder=folder).out
    assert widths[80] <= 80 < widths[120] <= 120 < widths[400] == max(map(wide, whole.splitlines()))


def test_at_80_columns_a_title_is_readable_and_the_tags_are_omitted(folder: Path) -> None:
    heading, first, *_ = [STYLES.sub("", line) for line in on_a_terminal(80, "list", folder=folder).splitlines()]
    assert heading.split() == ["ID", "TITLE", "PRICES", "INPUT"]
    assert "A title that is longer" in first


def test_a_terminal_gets_colours_and_a_pipe_none(folder: Path) -> None:
    assert STYLES.search(on_a_terminal(120, "list", folder=folder))
    assert not STYLES.search(template_sync("list", folder=folder).out)
