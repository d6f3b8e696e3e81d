"""The JSON output of every command in a test is validated against a closed copy of its schema, without other keys."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from sync.outputs.schema import schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BY_OPTION = {
    ("export", "--with-cursor"): "export-with-cursor",
    ("runs", "--rejected"): "rejected",
    ("changes", "--pending"): "pending",
    ("changes", "--follow"): "change",
    ("form", "--validate"): "form-check",
    ("form", "--example"): "form-example",
    ("form", "--request"): "form-request",
}
BY_COMMAND = {"refresh": "run", "lease show": "lease", **{f"db {name}": f"db-{name}" for name in ("check", "current", "origin")}}
GROUPS = {"db", "lease", "webhooks"}
seen: set[str] = set()
"""The names of the schemas that were used in this process."""


def closed(shape: Any) -> Any:
    """Copy a schema so that objects may have only the declared keys, unless it permits others."""
    if isinstance(shape, list):
        return [closed(each) for each in shape]
    if not isinstance(shape, dict):
        return shape
    copy = {name: closed(value) for name, value in shape.items()}
    return {"additionalProperties": False, **copy} if isinstance(shape.get("properties"), dict) and "type" in shape else copy


@cache
def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(closed(schema(name)))


def check(name: str, value: Any) -> None:
    """Validate a value against the closed schema of this name."""
    seen.add(name)
    wrong = best_match(validator(name).iter_errors(value))
    assert wrong is None, f"{name} at {wrong.json_path}: {wrong.message[:500]}"


def outputs_of(arguments: Sequence[str], out: str) -> Iterator[tuple[str, Any]]:
    """Yield the decoded JSON output of a command with the name of its schema."""
    command = " ".join(arguments[:2]) if arguments[:1] and arguments[0] in GROUPS else next(iter(arguments), "")
    if not out or not out.lstrip().startswith(("{", "[")) or "--help" in arguments:
        return
    if command == "export" and not {"json", "--json"} & {*arguments}:
        lines = out.splitlines()
        if "--with-cursor" in arguments:
            yield "export-cursor", json.loads(lines.pop(0))
        yield from (("export", [json.loads(line)]) for line in lines)
    elif command in {"form", "export"} or "--json" in arguments:
        options = (name for (of, option), name in BY_OPTION.items() if of == command and option in arguments)
        name = next(options, BY_COMMAND.get(command, command.replace(" ", "-")))
        lines = out.splitlines() if name == "change" else [out]
        for line in lines:
            value = json.loads(line)
            lost = isinstance(value, dict) and value.get("error") == "cursor-lost"
            yield ("cursor-lost" if lost else name), value
