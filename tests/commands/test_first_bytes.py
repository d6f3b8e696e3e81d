"""What stands before or after the text: a byte order mark in a file, a standard output that takes nothing."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from sync.catalog.parsing import credit_of
from sync.config.files import secret_file
from tests.command_line import environment

if TYPE_CHECKING:
    from pathlib import Path


OTHERS = [pytest.param(flag, marks=pytest.mark.ci_slice) for flag in ("--version run", "db --help", "db backup --help")]


@pytest.mark.parametrize("flag", ["--version", "--help", "run --help", *OTHERS])
def test_a_full_or_closed_standard_output_is_one_sentence_and_no_traceback(flag: str, tmp_path: Path) -> None:
    program = f"{sys.executable} -m sync {flag}"
    endings = ((">/dev/full", 1, "error: The output could not be written"), (">&-", 0, ""), (">/dev/full 2>&1", 1, ""))
    for redirection, code, said in endings:
        done = subprocess.run(
            ["bash", "-c", f"{program} {redirection}"],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr.startswith(said), "Traceback" in done.stderr) == (code, True, False), done.stderr


def test_a_byte_order_mark_in_a_key_file_is_no_part_of_the_key(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\xef\xbb\xbfak_x\r\n")
    assert secret_file("CRUN_API_KEY_FILE", tmp_path / "key", []) == "ak_x"


@pytest.mark.parametrize(
    ("given", "kept"), [("133.20000000000002", 133.2), ("0.30000000000000004", 0.3), ("1.10000000000001", 1.10000000000001)]
)
def test_an_error_of_binary_fractions_does_not_reject_a_price(given: str, kept: float) -> None:
    assert credit_of(Decimal(given)) == kept
