"""The bill of materials names exactly what the lock lists pin, with every hash, and what needs what."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", ["deploy/requirements.txt", "tests/requirements.txt"])
def test_every_pin_and_every_hash_is_in_it_once(name: str) -> None:
    command = [sys.executable, str(ROOT / "deploy" / "sbom.py"), str(ROOT / name)]
    first, second = (subprocess.run(command, capture_output=True, check=True).stdout for _ in range(2))
    assert first == second
    written, lines = json.loads(first), (ROOT / name).read_text().splitlines()
    pins = [
        line.split()[0].rstrip(";").partition("==")[::2] for line in lines if "==" in line and not line.startswith((" ", "#"))
    ]
    assert [(each["name"], each["version"]) for each in written["components"]] == pins
    hashes = [each["value"] for part in written["components"] for each in part["properties"] if each["name"] == "lock:sha256"]
    assert hashes == [line.split(":")[1].split()[0] for line in lines if "--hash=sha256:" in line]
    refs = {each["bom-ref"] for each in written["components"]} | {written["metadata"]["component"]["bom-ref"]}
    assert {each["ref"] for each in written["dependencies"]} == refs
    needed = {needs for each in written["dependencies"] for needs in each["dependsOn"]}
    assert needed <= refs
    assert any(each.startswith("pkg:pypi/httpx@") for each in written["dependencies"][0]["dependsOn"])


def test_a_line_that_it_does_not_know_is_an_error_and_not_left_out(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("httpx==0.28.1\n-e ../elsewhere\n")
    done = subprocess.run(
        [sys.executable, str(ROOT / "deploy" / "sbom.py"), str(tmp_path / "list.txt")], capture_output=True, check=False
    )
    assert done.returncode == 1
    assert b"no line of a lock list: -e ../elsewhere" in done.stderr
