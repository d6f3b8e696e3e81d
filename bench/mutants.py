"""Mutate the pure modules and the write path, one place at a time, and run their tests.

    python bench/mutants.py                          # all modules of bench/mutants.toml
    python bench/mutants.py catalog.diff             # one module, with each mutant that survives

A mutant that no test notices must be named in bench/mutants.toml, with the reason why it is equivalent; a mutant that is named
there must survive. Otherwise the command fails. No file is changed.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from forked_tests import OF_THE_PARENT, OPTIONS, InProcess, delete_files, noticed_in_new_process, use_deterministic_profile
from mutation import mutants

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parent.parent
_SHOWN = 500
CONFIGURATION = Path(__file__).with_suffix(".toml")


def main() -> None:
    """Measure all modules, or those that are named."""
    parser = argparse.ArgumentParser(description="Mutants that the tests do not notice.")
    parser.add_argument("modules", nargs="*", help="as in bench/mutants.toml; all of them if none is named")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="modules at once")
    given = parser.parse_args()
    configuration = tomllib.loads(CONFIGURATION.read_text())
    modules = given.modules or list(configuration)
    if unknown := [module for module in modules if module not in configuration]:
        sys.exit(f"Not in {CONFIGURATION.name}: {', '.join(unknown)}")
    if len(modules) == 1:
        sys.exit(0 if measure(modules[0], configuration[modules[0]]) else 1)
    command = [sys.executable, __file__]
    with ThreadPoolExecutor(given.processes) as pool:
        done = pool.map(lambda module: subprocess.run([*command, module], check=False).returncode, modules)
    sys.exit(max(done))


def measure(module: str, configured: Mapping[str, Any]) -> bool:
    """Try every mutant of a module, print the survivors and a row of the table; return whether only equivalent ones survive."""
    os.chdir(ROOT)
    for name in ("SYNC_TEST_POSTGRES_URL", "SYNC_TEST_MARIADB_URL"):
        if not configured.get("servers"):
            os.environ.pop(name, None)
    name, path = f"sync.{module}", f"{module.replace('.', '/')}.py"
    source = (ROOT / "sync" / path).read_text()
    tests = [f"tests/{test}" for test in configured["tests"]]
    tests += [f"--deselect=tests/{test}" for test in configured.get("without", [])]
    every = list(mutants(source))
    use_deterministic_profile()
    watcher = InProcess(name, source, every)
    with redirect_stdout(io.StringIO()) as output:
        passed = pytest.main([*OPTIONS, *OF_THE_PARENT, *tests], plugins=[watcher]) == pytest.ExitCode.OK
    if not passed:
        sys.exit(f"{output.getvalue()[-_SHOWN:]}\n{module}: its tests fail without a mutant.")
    if watcher.unnoticed and noticed_in_new_process(name, source, tests, watcher.seconds):
        sys.exit(f"{module}: its tests fail in a new process without a mutant.")
    living = [mutant for mutant in watcher.unnoticed if not noticed_in_new_process(name, mutant.source, tests, watcher.seconds)]
    delete_files()
    known = configured.get("equivalent", {})
    for mutant in living:
        if mutant.name not in known:
            print(f"NEW      sync/{path}:{mutant.line}: {mutant.name}")
    gone = known.keys() - {mutant.name for mutant in living}
    for each in sorted(gone):
        print(f"NOTICED  sync/{path}: {each}")
    print(f"| `{module}` | {len(every) - len(living)} of {len(every)} | {len(known.keys() - gone)} |", flush=True)
    return not gone and all(mutant.name in known for mutant in living)


if __name__ == "__main__":
    main()
