"""The command bench/mutants.py and its configuration."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIGURED = tomllib.loads((ROOT / "bench" / "mutants.toml").read_text())


def test_every_pure_module_has_existing_tests() -> None:
    source = {file: file.read_text() for file in (ROOT / "sync").rglob("*.py") if file.stem != "__init__"}
    pure = {file for file, text in source.items() if text.startswith('"""PURE.') or file.parent.name == "catalog"}
    names = {str(file.relative_to(ROOT / "sync").with_suffix("")).replace("/", ".") for file in pure}
    assert len(names) >= 20
    assert names <= CONFIGURED.keys()
    for module, configured in CONFIGURED.items():
        assert (ROOT / "sync" / f"{module.replace('.', '/')}.py").is_file()
        for test in configured["tests"] + configured.get("without", []):
            file, _, name = test.partition("::")
            assert f"def {name.partition('[')[0]}" in (ROOT / "tests" / file).read_text(), test


def test_every_equivalent_mutant_has_its_reason() -> None:
    assert all(reason for configured in CONFIGURED.values() for reason in configured.get("equivalent", {}).values())


@pytest.mark.long
def test_every_unlisted_mutant_of_a_small_module_is_noticed() -> None:
    for module, row in [
        ("catalog.snapshot", "| `catalog.snapshot` | 144 of 146 | 2 |\n"),
    ]:
        done = subprocess.run([sys.executable, "bench/mutants.py", module], cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.stdout, done.returncode) == (row, 0), done.stderr
