"""Run the tests of a module with changed sources, each in a process forked from one that has run them with the original source.

If only the body of a function differs, the child replaces the code of the imported function, which takes milliseconds. If no test
fails then, or if more differs, another child imports the whole project again, and its result counts.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import inspect
import mmap
import os
import resource
import shutil
import signal
import sys
import tempfile
from functools import reduce
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any, cast

import hypothesis
import pytest
from _pytest.runner import runtestprotocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from mutation import Mutant

CPU_SECONDS, SECONDS = 10, 120
"""In addition to twice the time of all tests with the original source. Tests that take longer count as failed, because the mutant
loops or waits without end."""
OPTIONS = ["-x", "-q", "-n", "0", "-p", "no:randomly", "-p", "no:cacheprovider", "--hypothesis-profile", "mutants"]
OPTIONS += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]


_FOLDERS = [Path(tempfile.gettempdir()) / f"mutants-{os.getpid()}-{of}" for of in ("parent", "child")]
"""Of this process and its children: pytest's usual one is cleared away by other runs of it, and a test that lacks it fails."""
OF_THE_PARENT, _OF_A_CHILD = (["--basetemp", str(folder)] for folder in _FOLDERS)


class TestsFailedError(Exception):
    """The tests fail with the original source."""


class InProcess:
    """A plugin that runs the tests once, quickest last known first, and then a mutant's in each child."""

    def __init__(self, module: str, source: str, mutants: Sequence[Mutant]) -> None:
        self._module, self._source, self._mutants = module, source, mutants
        self._failed = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("i")
        """Shared with the children: in its first place the test that failed."""
        self._passed: set[str] = set()
        self.seconds: dict[str, float] = {}
        self.unnoticed: list[Mutant] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the tests with the original source, then with each mutant."""
        items = session.items
        for item, following in zip(items, [*items[1:], items[-1]], strict=True):
            reports = runtestprotocol(item, log=False, nextitem=following)
            if any(report.failed for report in reports):
                raise TestsFailedError(item.nodeid)
            self.seconds[item.nodeid] = sum(report.duration for report in reports)
        items.sort(key=lambda item: self.seconds[item.nodeid])
        # Fixtures of the session are kept. The last test is removed, because otherwise no child would set it up again.
        session._setupstate.teardown_exact(cast("pytest.Item", items[0].parent))  # noqa: SLF001 - pytest has no other way
        for mutant in self._mutants:
            if mutant.function is None or not self._noticed(items, mutant.function, mutant.source):
                self.unnoticed.append(mutant)
                continue
            self._require_own_code_to_pass(items, mutant.function)
            items.insert(0, items.pop(self._failed[0]))  # the test that noticed this mutant may notice the next one
            session._setupstate.teardown_exact(items[0])  # noqa: SLF001 - as above
        return True

    def _noticed(self, items: Sequence[pytest.Item], function: str, source: str) -> bool:
        """Run the tests with a function's code changed, until one fails."""

        def work() -> bool:
            if not _put_in(self._module, function, source):
                return True  # to be tested again
            for place, (item, after) in enumerate(zip(items, [*items[1:], items[-1]], strict=True)):
                if any(report.failed for report in runtestprotocol(item, log=False, nextitem=after)):
                    self._failed[0] = place
                    return False
            return True

        return not in_child(work, self.seconds)

    def _require_own_code_to_pass(self, items: Sequence[pytest.Item], function: str) -> None:
        """Require the tests to pass with a function's own code put in, once for each function."""
        if function not in self._passed:
            failed = self._failed[0]
            if self._noticed(items, function, self._source):
                raise TestsFailedError(f"{items[self._failed[0]].nodeid}, with the code of {function} put in again")
            self._failed[0] = failed
            self._passed.add(function)


def _put_in(module: str, function: str, source: str) -> bool:
    """Replace the code of an imported function; return whether that was possible."""
    code = _code(compile(source, sys.modules[module].__file__ or module, "exec", dont_inherit=True), function)
    found: Any = reduce(inspect.getattr_static, function.split("."), sys.modules[module])
    found = getattr(found, "fget", None) or getattr(found, "__func__", found)
    if hasattr(found, "cache_clear"):
        found.cache_clear()
    found = inspect.unwrap(found)
    if code is None or code.co_freevars != getattr(getattr(found, "__code__", None), "co_freevars", None):
        return False
    found.__code__ = code
    return True


def _code(code: CodeType, function: str) -> CodeType | None:
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            if inner.co_qualname == function:
                return inner
            if function.startswith(f"{inner.co_qualname}."):
                return _code(inner, function)
    return None


class _Instead(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Load a module from another source."""

    def __init__(self, name: str, source: str, file: str) -> None:
        self._name, self._source, self._file = name, source, file

    def find_spec(self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(fullname, self, origin=self._file) if fullname == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = self._file
        exec(compile(self._source, self._file, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - our source with one change


class _Quickest:
    """A plugin that runs the quickest tests first."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds = seconds

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: self._seconds.get(item.nodeid, 0))


def noticed_in_new_process(module: str, source: str, tests: Sequence[str], seconds: dict[str, float]) -> bool:
    """Import the project again, with another source of one module, and run the tests; return whether any fails."""
    file = sys.modules[module].__file__ or module

    def work() -> bool:
        for name in [name for name in sys.modules if name.split(".")[0] in {"sync", "tests"}]:
            del sys.modules[name]
        sys.meta_path.insert(0, _Instead(module, source, file))
        return pytest.main([*OPTIONS, *_OF_A_CHILD, *tests], plugins=[_Quickest(seconds)]) == pytest.ExitCode.OK

    return not in_child(work, seconds)


def in_child(work: Callable[[], bool], seconds: dict[str, float]) -> bool:
    """Call a function in a forked process without output; return whether it ended in time, and returned true."""
    more = 2 * int(sum(seconds.values()))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS + more, CPU_SECONDS + more))
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(SECONDS + more)
            code = 0 if work() else 1
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


def delete_files() -> None:
    """Delete the files of all these tests."""
    for folder in _FOLDERS:
        shutil.rmtree(folder, ignore_errors=True)


def use_deterministic_profile() -> None:
    """Make Hypothesis deterministic, without a database of examples and without shrinking."""
    phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
    slow = [hypothesis.HealthCheck.too_slow]
    hypothesis.settings.register_profile(
        "mutants", derandomize=True, database=None, deadline=None, phases=phases, suppress_health_check=slow
    )
