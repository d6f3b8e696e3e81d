"""The command `sandbox`: one process, its flags, and its end."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx

from sync.sandbox.catalog import make_catalog
from sync.sandbox.server import ENDPOINT
from tests.command_line import environment, template_sync

if TYPE_CHECKING:
    from pathlib import Path


def test_the_flags_take_effect_and_the_sandbox_serves_until_it_is_terminated(tmp_path: Path) -> None:
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
