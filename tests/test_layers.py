"""The structure of the program: which package may import which, and which modules use a library."""

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
    "commands",
    "agents daemon",
    "api",
    "refresh",
    "webhooks",
    "monitoring",
    "logs",
    "synchronise site",
    "reader",
    "sandbox",
    "recording",
    "store client",
    "terminal",
    "webhooks.endpoints",
    "config forms outputs",
    "catalog",
    "config.resource_limits",
    "retry_policy",
    "errors text",
]
"""Top first. A module may import its own package and those below; the entry of a module precedes that of its package."""
PURE = {
    "catalog",
    "forms",
    "outputs",
    "terminal",
    "webhooks.endpoints",
    "config.addresses",
    "config.redaction",
    "retry_policy",
    "text",
    "errors",
}
PURE_MAY_IMPORT = {
    "__future__", "base64", "collections", "contextlib", "dataclasses", "datetime", "decimal", "email", "enum", "errno",
    "functools", "hashlib", "html", "io", "ipaddress", "itertools", "json", "jsonschema", "math", "msgspec", "operator", "re",
    "tomllib", "typing", "unicodedata", "urllib", "wcwidth", "xml",
}  # fmt: skip
USERS = {
    "httpcore": "client.http client.backend",
    "httpx": "client.http client.network",
    "structlog": "logs",
    "anyio": "agents",
    "mcp": "agents",
    "apscheduler": "daemon config.cron",
    "alembic": "store.schema",
    "prometheus_client": "monitoring.metrics",
    "dotenv": "config.load_settings",
    "click": "cli commands",
    "msgspec": (
        "client.response catalog.served_records catalog.document catalog.json_values store.column_types outputs agents text "
        "site.folder"
    ),
    "cronsim": "config.cron",
    "jinja2": "site.pages",
    "jsonschema": "forms.validation",
    "standardwebhooks": "webhooks.sign_and_send",
    "wcwidth": "terminal",
    "sqlalchemy": "store reader webhooks daemon.service commands site.build api refresh",
}
LONGEST, MEDIAN = 350, 200
LONGER = {"api": 400}
"""The docstrings of `api` are the document docs/python.md."""


@cache
def modules() -> dict[str, Path]:
    """Return every module except `__init__`, without the leading `sync.`."""
    package = ROOT / "sync"
    files = [file for file in package.rglob("*.py") if file.name != "__init__.py" and "_migrations" not in file.parts]
    return {".".join(file.relative_to(package).with_suffix("").parts): file for file in files}


@cache
def imports(file: Path) -> set[str]:
    """Return the imports of a file, also those in functions and for the type checker."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            submodules = {name for name in names if name.removeprefix("sync.") in modules()}
            found.update(submodules or {node.module})
    return found


def internal_imports(file: Path) -> set[str]:
    return {name.removeprefix("sync.") for name in imports(file) if name.startswith("sync.")}


def package(module: str) -> str:
    return module.partition(".")[0]


def layer(module: str) -> int:
    numbers = {name: number for number, names in enumerate(LAYERS) for name in names.split()}
    return numbers.get(module, numbers.get(package(module), len(LAYERS)))


def is_pure(module: str) -> bool:
    return module in PURE or package(module) in PURE


@pytest.mark.parametrize("module", sorted(modules()))
def test_imports_go_down_or_stay_in_the_package(module: str) -> None:
    for other in internal_imports(modules()[module]) - {"__version__"}:
        if package(other) != package(module):
            assert layer(other) > layer(module), f"{module} imports {other}, which is above it"


def test_no_imports_are_circular() -> None:
    below = {name: internal_imports(file) & modules().keys() for name, file in modules().items()}
    while leaves := {name for name, needs in below.items() if not needs & below.keys()}:
        below = {name: needs for name, needs in below.items() if name not in leaves}
    assert not below


@pytest.mark.parametrize("module", sorted(name for name in modules() if is_pure(name)))
def test_the_pure_core_imports_nothing_that_does_io(module: str) -> None:
    outside = {name.partition(".")[0] for name in imports(modules()[module])} - {"sync"}
    assert outside <= PURE_MAY_IMPORT
    assert [other for other in internal_imports(modules()[module]) if not is_pure(other)] == []


def test_the_tools_for_agents_send_no_request_upstream() -> None:
    for module, file in modules().items():
        if module.startswith("agents."):
            used = {name.partition(".")[0] for name in internal_imports(file)}
            assert used.isdisjoint({"client", "refresh", "synchronise", "webhooks"}), module
            assert "ensure_fresh" not in file.read_text(), module


@pytest.mark.parametrize("library", USERS)
def test_every_library_is_used_in_few_modules(library: str) -> None:
    users = {name for name, file in modules().items() if library in {each.partition(".")[0] for each in imports(file)}}
    allowed = USERS[library].split()
    assert not {name for name in users if name not in allowed and package(name) not in allowed}


def test_modules_have_a_limited_length() -> None:
    lengths = {name: len(file.read_text().splitlines()) for name, file in modules().items()}
    assert {name: lines for name, lines in lengths.items() if lines > LONGER.get(name, LONGEST)} == {}
    assert median(lengths.values()) <= MEDIAN
