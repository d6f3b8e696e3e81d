"""The JSON of every command is valid against a closed copy of its schema."""

from __future__ import annotations

import gc
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from sync.cli import cli
from sync.errors import CursorLost
from sync.outputs.schema import NAMED, schema
from sync.sandbox.server import Sandbox
from tests.builders import record, records, run_with
from tests.command_line import of_sandbox
from tests.json_forms import check, outputs_of, validator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.builders import Database

COMMANDS = [
    "export", "export --format json", "export --with-cursor", "export --format json --with-cursor",
    "form 1", "form 31 --removed", "form 1 --example", "form 1 --request",
    *(f"{name} --json" for name in (
        "status", "runs", "runs --rejected 2", "changes", "changes --pending", "changes --since 99999", "history 1", "diff 1 2",
        "list", "list --as-of 1", "show 31", "tags", "types", "form 1 --validate input.json", "config", "doctor", "db current",
        "db check", "db origin", "lease show", "prune --keep-runs 1 --dry-run", "schema", "run --dry-run", "site gallery",
        "refresh 1", "demo --templates 20 --database-url sqlite:///demo.db",
    )),
]  # fmt: skip


@pytest.fixture
def folder(sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logging_as_before: None) -> Iterator[Path]:
    """A database with all kinds of changes, held removals and a rejected record, and a catalog to synchronise."""
    run_with([*records(31), record("32")], sqlite.engine)
    dear = [{"Resolution": "480p", "Credit": 200}, {"Resolution": "1080p", "Credit": 0.5}]
    new = {"type": "x", "properties": {"y": [None, 1.5]}}
    bare: dict[str, Any] = {name: None for name in record() if name not in {"TemplateId", "InputNum"}}
    changed = [
        record("1", ConsumeItems=dear, Tags=["新"], Tags_en=[None], New=new, SupportAspectRatio="1:1"),
        {**bare, "TemplateId": "2"},
        record("3", InputNum="many"),
    ]
    present = [*changed, *records(30)[3:]]
    assert run_with([*present, record("33"), record("32")], sqlite.engine).error is None
    assert run_with([*present[:9], record("33"), record("34")], sqlite.engine).run.held == 22
    (tmp_path / "input.json").write_text("[]")
    monkeypatch.chdir(tmp_path)
    with Sandbox([record("1"), record("2")]) as sandbox:
        for name, value in of_sandbox(sandbox, DATABASE_URL=sqlite.url).items():
            monkeypatch.setenv(name, value)
        yield tmp_path
    gc.enable()  # `run` does not accept it


def refuse_altered(name: str, value: Any) -> None:
    """Require that the schema rejects the first object without a key, with another one, and with a value of another type."""
    first = value[0] if isinstance(value, list) and value else value
    if not isinstance(first, dict):
        return
    shape = schema(name)
    item = shape.get("items", shape)
    keys = shape["$defs"][item["$ref"].rpartition("/")[2]] if "$ref" in item else item
    if "anyOf" in keys:
        keys = shape["$defs"][f"{first['kind'].title()}{keys['title']}"]
    slips = [{key: each for key, each in first.items() if key != missing} for missing in keys["required"]]
    slips += [{**first, key: 0 if isinstance(each, list | dict | str) else [0]} for key, each in first.items()]
    for slip in [*slips, {**first, "another_key": 1}]:
        assert not validator(name).is_valid([slip] if isinstance(value, list) else slip), slip


def test_every_output_is_valid_against_its_schema(folder: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    seen: set[str] = set()
    for line in COMMANDS:
        capfdbinary.readouterr()
        with suppress(SystemExit, CursorLost):  # any result: only the output is checked
            cli.main(line.split(), prog_name="template-sync", standalone_mode=False)
        found = list(outputs_of(line.split(), capfdbinary.readouterr().out.decode()))
        assert found, line
        for name, value in found:
            check(name, value)
            refuse_altered(name, value)
            assert value or name == "db-check", line  # on a healthy database
            seen.add(name)
    for name in ("catalog", "changes"):
        check(f"site-{name}", json.loads((folder / "gallery" / f"{name}.json").read_text()))
        seen.add(f"site-{name}")
    elsewhere = ("webhooks-", "mcp.", "template.", "catalog.", "webhook.")  # validated where they are sent
    assert seen | {"change"} == {name for name in NAMED if not name.startswith(elsewhere)}


def test_the_helper_finds_undocumented_keys() -> None:
    held = {"template_id": "1", "state": "held", "reason": "why", "since_run_id": 1, "since_at": "2026-01-01T00:00:00Z"}
    printed = json.dumps([{**held, "runs": 1, "answered": True, "document": None}])
    ((name, value),) = outputs_of(["changes", "--pending", "--json"], printed)
    with pytest.raises(AssertionError, match=r"pending at \$\[0\].document"):
        check(name, value)
    with pytest.raises(AssertionError, match="'new_key' was unexpected"):
        check("lease", {"active": True, "holder": "x", "seconds_left": 1.5, "fence": 1, "new_key": 1})
    assert list(outputs_of(["list"], "no JSON")) == []
