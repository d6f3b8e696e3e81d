"""The command `sandbox`: its options and its end; the commands of the cookbook."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from itertools import count
from pathlib import Path

import httpx
import pytest

from sync.sandbox.catalog import make_catalog
from sync.sandbox.server import ENDPOINT, SANDBOX_KEY, Sandbox
from tests.command_line import environment, of_sandbox, template_sync
from tests.documented import snippets, steps
from tests.test_documents_run import shell

COOKBOOK = Path(__file__).parents[2] / "docs" / "cookbook.md"


def test_the_options_have_effect_and_the_sandbox_serves_until_it_is_terminated(tmp_path: Path) -> None:
    flags = ["--port", "0", "--templates", "40", "--evolve-every", "0.01s", "--fault", "401:1,short:1", "--fault", "402:1"]
    with subprocess.Popen(
        [sys.executable, "-m", "sync", "sandbox", *flags],
        cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        assert server.stderr is not None
        printed = "".join(server.stderr.readline() for _ in range(7))
        settings = dict(re.findall(r"(CRUN_\w+)=(\S+)", printed))
        url, key = settings["CRUN_BASE_URL"], settings["CRUN_API_KEY"]
        refused_and_without_credits = [template_sync("run", folder=tmp_path, variables=settings).code for _ in range(2)]
        described = httpx.get(f"{url}/sandbox", trust_env=False).json()
        served = httpx.get(url + ENDPOINT, headers={"x-api-key": key}, trust_env=False).json()["data"]["templates"]
        server.terminate()
    assert server.returncode == 0
    assert (refused_and_without_credits, described["faults"]) == ([77, 77], [])
    assert served != make_catalog(20)
    assert f"curl -X POST {url}/sandbox/evolve" in printed
    assert f"curl -d 429:3 {url}/sandbox/faults" in printed


@pytest.mark.long  # starts three processes
@pytest.mark.ci_slice
def test_the_commands_of_the_cookbook_print_the_documented_output(tmp_path: Path) -> None:
    if missing := [tool for tool in ("bash", "curl", "jq") if shutil.which(tool) is None]:
        pytest.skip(f"not installed here: {', '.join(missing)}")
    documented = [each for each in snippets(COOKBOOK, "console") if each.heading == "A server to develop against"]
    serve, export, *commands = [step for each in documented for step in steps(each)]
    assert (serve.command[:21], export.command.rpartition("=")[2]) == ("template-sync sandbox", SANDBOX_KEY)
    seconds = count(1_780_304_400, 3)  # in each call
    with Sandbox(make_catalog(), clock=lambda: next(seconds)) as sandbox:
        ran = shell(commands, tmp_path, of_sandbox(sandbox))
    for each in ran:
        assert each.code == 0, each
        output = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8455", each.output).splitlines()
        assert not each.step.shown or output == each.step.shown, each
