"""The shape of the program: which room may look into which, and where each library lives."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = [
    "__main__",
    "cli",
    "front_page",
    "commands",
    "daemon doctor agents",
    "api",
    "ensure_fresh",
    "synchronise delivery",
    "site",
    "reader",
    "store endpoint sandbox",
    "logs run_ending spool recorded_answer",
    "terminal",
    "settings",
    "options loopback secret_file webhooks",
    "cron redaction advice http_url outputs",
    "catalog",
    "run_record",
    "text",
    "errors retry_policy",
]
"""Imports go down, or stay in the same room; two rooms of one line do not know each other."""
PURE = {
    "catalog",
    "outputs",
    "terminal",
    "webhooks",
    "http_url",
    "run_record",
    "retry_policy",
    "redaction",
    "advice",
    "loopback",
    "run_ending",
    "recorded_answer",
    "text",
    "errors",
}
PURE_MAY_IMPORT = {
    "__future__", "collections", "contextlib", "dataclasses", "datetime", "decimal", "enum", "functools", "hashlib", "json",
    "jsonschema", "msgspec", "re", "typing", "unicodedata", "urllib", "wcwidth", "base64", "html", "ipaddress", "tomllib", "xml",
}  # fmt: skip
HOMES = {
    "httpcore": "endpoint.http endpoint.backend",
    "httpx": "endpoint.http endpoint.backend",
    "structlog": "logs daemon.heartbeat",
    "apscheduler": "daemon cron",
    "alembic": "store.schema",
    "prometheus_client": "daemon.metrics",
    "dotenv": "settings",
    "click": "cli commands",
    "msgspec": (
        "endpoint.envelope catalog.json_values catalog.served_records catalog.hashes store.column_types outputs agents text"
    ),
    "cronsim": "cron",
    "jinja2": "site.pages",
    "jsonschema": "catalog.form_problems",
    "standardwebhooks": "delivery.send",
    "wcwidth": "terminal",
    "sqlalchemy": "store reader daemon.service doctor commands",
}
LONGEST, MEDIAN = 350, 170


@cache
def modules() -> dict[str, Path]:
    """Name every module, without the leading `sync.`; a package's own file only describes it."""
    package = ROOT / "sync"
    files = [file for file in package.rglob("*.py") if file.name != "__init__.py" and "_migrations" not in file.parts]
    return {".".join(file.relative_to(package).with_suffix("").parts): file for file in files}


@cache
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
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            submodules = {name for name in names if name.removeprefix("sync.") in modules()}
            found.update(submodules or {node.module})
    return found


def ours(file: Path) -> set[str]:
    return {name.removeprefix("sync.") for name in imports(file) if name.startswith("sync.")}


def room(module: str) -> str:
    return module.partition(".")[0]


def layer(module: str) -> int:
    return next(number for number, rooms in enumerate(LAYERS) if room(module) in rooms.split())


@pytest.mark.parametrize("module", sorted(modules()))
def test_imports_go_down_or_stay_in_the_room(module: str) -> None:
    for other in ours(modules()[module]):
        assert layer(other) > layer(module) or room(other) == room(module), f"{module} looks up into {other}"


def test_no_imports_run_in_a_circle() -> None:
    below = {name: ours(file) & modules().keys() for name, file in modules().items()}
    while leaves := {name for name, needs in below.items() if not needs & below.keys()}:
        below = {name: needs for name, needs in below.items() if name not in leaves}
    assert not below


@pytest.mark.parametrize("module", sorted(name for name in modules() if room(name) in PURE))
def test_the_pure_core_imports_nothing_that_does_io(module: str) -> None:
    strangers = {name.partition(".")[0] for name in imports(modules()[module])} - {"sync"}
    assert strangers <= PURE_MAY_IMPORT
    assert {room(other) for other in ours(modules()[module])} <= PURE


def test_what_answers_an_agent_can_ask_nobody_upstream() -> None:
    for module, file in modules().items():
        if module.startswith("agents."):
            asked = {name.partition(".")[0] for name in ours(file)}
            assert asked.isdisjoint({"endpoint", "ensure_fresh", "synchronise", "delivery"}), module
            assert "ensure_fresh" not in file.read_text(), module


@pytest.mark.parametrize("library", HOMES)
def test_every_library_has_one_home(library: str) -> None:
    users = {name for name, file in modules().items() if library in {each.partition(".")[0] for each in imports(file)}}
    homes = HOMES[library].split()
    assert not {name for name in users if name not in homes and room(name) not in homes}


def test_files_stay_small_enough_to_read_at_once() -> None:
    lengths = {name: len(file.read_text().splitlines()) for name, file in modules().items()}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}
    assert median(lengths.values()) <= MEDIAN
