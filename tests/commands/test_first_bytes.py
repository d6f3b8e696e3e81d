"""What stands before or after the text: a byte order mark in a file, a standard output that takes nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from sync.catalog.parsing import credit_of
from sync.sandbox.server import SANDBOX_KEY
from tests.builders import record
from tests.command_line import environment, template_sync
from tests.daemons import Upstream
from tests.webhooks.receiver import SECRET

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


def test_a_byte_order_mark_in_any_file_of_the_settings_is_no_part_of_what_it_holds(upstream: Upstream, tmp_path: Path) -> None:
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


@pytest.mark.parametrize(
    ("given", "kept"), [("133.20000000000002", 133.2), ("0.30000000000000004", 0.3), ("1.10000000000001", 1.10000000000001)]
)
def test_an_error_of_binary_fractions_does_not_reject_a_price(given: str, kept: float) -> None:
    assert credit_of(Decimal(given)) == kept


def test_a_record_whose_price_has_such_an_error_is_stored(tmp_path: Path) -> None:
    price = {"Resolution": "720p", "Credit": 133.20000000000002}
    with Upstream([record("1", ConsumeItems=[price])]) as upstream:
        ran = template_sync("run", "--json", folder=tmp_path, variables=upstream.settings())
    assert (ran.code, json.loads(ran.out)["rejected"]) == (0, 0), ran.err
    shown = json.loads(template_sync("show", "1", "--json", folder=tmp_path).out)
    assert shown["consume_items"] == [{"resolution": "720p", "credit": 133.2}]
