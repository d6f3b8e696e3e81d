"""Tools of other ecosystems in their own folders; if they cannot be installed, the tests are skipped with the reason."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def python_with(requirements: Path, folder: Path) -> Path:
    """Make a virtual environment with the packages of a file, checked by hash; return its interpreter."""
    python = folder / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    options = ("--quiet", "--require-hashes", "--only-binary", ":all:", "-r", requirements)
    _require([python, "-m", "pip", "install", *options], folder, requirements)
    return python


def npm_project(source: Path, folder: Path, *without: str) -> Path:
    """Copy an npm project, without the files that match a pattern, and install what its lock file names; return the copy."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("Node and npm are not installed")
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("node_modules", *without))
    _require(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], folder, source)
    return folder


def _require(command: list[str | Path], folder: Path, source: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        pytest.skip(f"{source.relative_to(ROOT)} cannot be installed: {done.stderr.strip().splitlines()[-1:]}")
