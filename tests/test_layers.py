"""The shape of the program: which room may look into which, and where each library lives."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PURE = {"snapshot", "diff", "removals", "report", "runs", "errors", "judge", "ops.plan"}
PURE_MAY_IMPORT = {
    "__future__", "collections", "dataclasses", "datetime", "decimal", "enum", "hashlib", "json", "re", "typing",
    "wcwidth",
}  # fmt: skip
HOMES = {
    "httpx": {"fetch", "ops.ping"},
    "structlog": {"logs", "ops.ping"},
    "apscheduler": {"ops.daemon", "cron"},
    "alembic": {"db.schema"},
    "prometheus_client": {"ops.metrics"},
    "dotenv": {"settings"},
    "click": {"cli", "commands"},
    "sqlalchemy": {"db", "store", "apply", "ops.service", "ops.doctor", "commands"},
}
LAYERS = [
    {"__main__", "cli"},
    {"commands"},
    {"ops.daemon", "ops.service", "ops.doctor"},
    {"logs", "ops.http", "ops.metrics", "ops.ping", "ops.plan", "ops.systemd", "sandbox"},
    {"run"},
    {"store", "fetch", "walk"},
    {"apply"},
    {"db"},
    {"settings"},
    {"judge"},
    {"options", "report", "diff", "removals", "decode", "cron"},
    {"validate", "runs"},
    {"snapshot"},
    {"errors"},
]
"""Imports go down, or stay in the same layer."""


def modules() -> dict[str, Path]:
    """Name every module, without the leading `sync.`."""
    package = ROOT / "sync"
    files = [file for file in package.rglob("*.py") if "_migrations" not in file.parts]
    return {".".join(file.relative_to(package).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


def imports(file: Path) -> set[str]:
    """Name what a file imports, inside functions too; what only the type checker sees is left out."""
    tree = ast.parse(file.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.update(f"{node.module}.{alias.name}" if node.module == "sync" else node.module for alias in node.names)
            found.update(f"{node.module}.{alias.name}" for alias in node.names if f"{node.module}.{alias.name}"[5:] in modules())
    return found


def layer_of(module: str) -> int | None:
    """Give a module's layer; None for a package's docstring file."""
    for number, rooms in enumerate(LAYERS):
        if any(module == room or module.startswith(f"{room}.") for room in rooms):
            return number
    return None


@pytest.mark.parametrize("module", sorted(PURE))
def test_the_pure_core_imports_nothing_that_does_io(module: str) -> None:
    outside = {name for name in imports(modules()[module]) if name.partition(".")[0] != "sync"}
    assert {name.partition(".")[0] for name in outside} <= PURE_MAY_IMPORT
    ours = {name.removeprefix("sync.") for name in imports(modules()[module]) if name.startswith("sync.")}
    assert ours <= PURE | {"decode"}  # bytes in, values out; and `visible`, which shows a stranger's text, lives there


@pytest.mark.parametrize("library", sorted(HOMES))
def test_every_library_has_one_home(library: str) -> None:
    homes = {name for name, file in modules().items() if any(each.partition(".")[0] == library for each in imports(file))}
    strays = {name for name in homes if not any(name == home or name.startswith(f"{home}.") for home in HOMES[library])}
    assert not strays


def test_every_module_has_a_layer() -> None:
    unplaced = {name for name in modules() if layer_of(name) is None} - {"", "sync", "ops", "__init__"}
    assert not unplaced


@pytest.mark.parametrize("module", sorted(set(modules()) - {"", "__init__", "ops"}))
def test_imports_only_go_down(module: str) -> None:
    own = layer_of(module)
    assert own is not None
    for name in imports(modules()[module]):
        other = layer_of(name.removeprefix("sync.")) if name.startswith("sync.") else None
        assert other is None or other >= own, f"{module} looks up into {name}"


def test_no_room_grows_past_what_one_reads_at_once() -> None:
    long = {name: len(file.read_text().splitlines()) for name, file in modules().items()}
    assert {name: lines for name, lines in long.items() if lines > 400} == {}
