"""Parsers of the files under deploy/ and of the Dockerfile, and the tools that check them."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from sync.config.settings import OPTIONS

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
SERVICES = ("template-sync.service", "template-sync-run.service")
MANIFESTS = ("cronjob.yaml", "deployment.yaml")
PORT = "9464"
DEFAULTS = {option.field: option.parse(option.default) for option in OPTIONS if option.default is not None}


def tool(name: str) -> str:
    """Return the path of a tool in this environment or on this machine."""
    path = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if path is None and name == "systemd-analyze" and os.environ.get("CI") == "true":
        pytest.fail("systemd-analyze is not installed, and CI must have it")
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def output_of(*command: str | Path, **options: Any) -> str:
    """Run a command that must succeed; return its output."""
    done = subprocess.run(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False, **options
    )
    assert done.returncode == 0, f"{shlex.join(map(str, command))}\n{done.stdout}"
    return str(done.stdout)


def unit(name: str) -> dict[str, list[str]]:
    """Read a unit: directive -> its values in order."""
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / "systemd" / name).read_text().splitlines():
        key, separator, value = line.partition("=")
        if separator and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def seconds(text: str) -> int:
    number, word = re.fullmatch(r"(\d+)(s|min)", text).groups()  # type: ignore[union-attr]
    return int(number) * {"s": 1, "min": 60}[word]


def dockerfile() -> list[tuple[str, str]]:
    """Read the Dockerfile: (instruction, the rest), comments gone and continued lines joined."""
    text = "\n".join(line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#"))
    lines = [line for line in re.sub(r"\\\n\s*", "", text).splitlines() if line.strip()]
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines]


def last(instruction: str) -> str:
    return [rest for word, rest in dockerfile() if word == instruction][-1]


def compose(*more: str) -> Any:
    """Read compose.yaml, with the services of further files laid over its own."""
    document = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
    for each in more:
        for name, service in yaml.safe_load((DEPLOY / "compose" / each).read_text())["services"].items():
            document["services"].setdefault(name, {}).update(service)
    return document


def manifest(name: str) -> Any:
    return yaml.safe_load((DEPLOY / "kubernetes" / name).read_text())


def pod(name: str) -> Any:
    spec = manifest(name)["spec"]
    return (spec["jobTemplate"]["spec"] if "jobTemplate" in spec else spec)["template"]["spec"]
