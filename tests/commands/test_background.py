"""A service's stderr: its lines arrive in order, and a reader that does not read makes no writer wait."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from sync.commands.output import BackgroundStream

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 10.0


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    yield reader, writer
    os.close(reader)
    os.close(writer)


def test_lines_arrive_in_order_and_drain_waits_for_them(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    with open(writer, "w", closefd=False) as file:
        stream = BackgroundStream(file)
        for line in ("one\n", "two \ud800\n", "three\n"):
            stream.write(line)
        stream.drain(PATIENCE)
    assert os.read(reader, 4096) == b"one\ntwo \\ud800\nthree\n"


def test_without_a_reader_no_writer_waits_and_what_is_too_much_is_dropped_and_counted(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.write(writer, b"x" * 4096)
    with open(writer, "w", closefd=False) as file, capture_logs() as logs:
        stream = BackgroundStream(file, most=3)
        for number in range(20):
            stream.write(f"{number}\n")
        stream.drain(0.01)
        assert os.read(reader, 4096) == b"x" * 4096
        stream.drain(PATIENCE)
        stream.write("later\n")
        stream.drain(PATIENCE)
    said = os.read(reader, 4096).decode().splitlines()
    assert said[:3] == ["0", "1", "2"]
    assert said[-1] == "later"
    dropped = sum(entry["count"] for entry in logs if entry["event"] == "log_lines_dropped")
    assert dropped + len(said) - 1 == 20


def test_a_reader_that_left_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", closefd=False) as file:
        stream = BackgroundStream(file)
        stream.write("one\n")
        stream.drain(PATIENCE)
    os.close(writer)
