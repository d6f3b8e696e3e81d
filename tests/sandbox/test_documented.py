"""What the cookbook shows of the sandbox is run by a shell, against a sandbox whose clock goes on by three seconds per look."""

from __future__ import annotations

import re
import shutil
from itertools import count
from pathlib import Path

import pytest

from sync.sandbox.catalog import make_catalog
from sync.sandbox.server import SANDBOX_KEY, Sandbox
from tests.command_line import of_sandbox
from tests.snippets import snippets, steps
from tests.test_documents_run import shell

COOKBOOK = Path(__file__).parents[2] / "docs" / "cookbook.md"


@pytest.mark.long  # starts three processes of the program
@pytest.mark.ci_slice
def test_the_commands_of_the_cookbook_show_what_the_cookbook_says(tmp_path: Path) -> None:
    if missing := [tool for tool in ("bash", "curl", "jq") if shutil.which(tool) is None]:
        pytest.skip(f"not installed here: {', '.join(missing)}")
    documented = [each for each in snippets(COOKBOOK, "console") if each.heading == "A server to develop against"]
    serve, export, *wanted = [step for each in documented for step in steps(each)]
    assert (serve.command[:21], export.command.rpartition("=")[2]) == ("template-sync sandbox", SANDBOX_KEY)
    seconds = count(1_780_304_400, 3)
    with Sandbox(make_catalog(), clock=lambda: next(seconds)) as sandbox:
        ran = shell(wanted, tmp_path, of_sandbox(sandbox))
    for each in ran:
        assert each.code == 0, each
        assert not each.step.shown or re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8455", each.said).splitlines() == each.step.shown, (
            each
        )
