"""What docs/json.md, docs/agents.md and docs/schema.json say is what the schemas say.

    python -m tests.schemas.test_json_doc    # writes it

So a word of theirs, which other people's programs are made from, changes on purpose only, and is seen in a review.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sync.schemas.index import DEFINITIONS, NAMED, everything, schema
from sync.schemas.tools import TOOLS

DOCS = Path(__file__).parents[2] / "docs"
DOCUMENTS = [DOCS / "json.md", DOCS / "agents.md"]
WHOLE = DOCS / "schema.json"
TOLD = re.compile(r"<!-- tools -->\n(?:\|.*\n)*")
NAMES = re.compile(r"<!-- all schemas -->\n(?:\|.*\n)*")
MARK = re.compile(r"<!-- schema: ([\w.-]+)(?:, ([\w ]+))? -->\n(?:\|.*\n)*")
PLAIN = {"string": "string", "integer": "integer", "number": "number", "boolean": "true or false", "object": "object"}


def target(shape: dict[str, Any]) -> dict[str, Any]:
    """Follow pointers, and lists to what they hold."""
    if "$ref" in shape:
        return target(DEFINITIONS[shape["$ref"].removeprefix("#/$defs/")])
    if "allOf" in shape:
        return target(shape["allOf"][0])
    return target(shape["items"]) if shape.get("type") == "array" else shape


def table(name: str, part: str | None) -> str:
    """Write one schema's keys, a row each; of a part of it only, or without what another one has."""
    shape = target(DEFINITIONS[name] if name in DEFINITIONS else NAMED[name][1])
    if part in shape["properties"]:
        shape = target(shape["properties"][part])
    known = DEFINITIONS[part.removeprefix("without those of ")]["properties"] if part and part.startswith("without") else {}
    rows = [
        f"| `{key}` | {kind(value)} | {value['description']}{'' if key in shape['required'] else ' (optional)'} |"
        for key, value in shape["properties"].items()
        if key not in known
    ]
    return "\n".join(["| key | is | |", "|---|---|---|", *rows]) + "\n"


def kind(shape: dict[str, Any]) -> str:
    """Say what a value is."""
    if "anyOf" in shape:
        return f"{kind(shape['anyOf'][0])}, or null"
    if {"$ref", "allOf", "title"} & shape.keys():
        return spoken(target(shape)["title"])
    if "enum" in shape:
        return ", ".join(f"`{word}`" for word in shape["enum"])
    if shape["type"] == "array":
        return f"list: {kind(shape['items'])}"
    return "time" if shape.get("format") == "date-time" else PLAIN.get(str(shape["type"]), "any value")


def spoken(title: str) -> str:
    """Write a title as words: FieldChange, field change."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", title).lower()


def written(document: str) -> str:
    """Write a document's tables anew."""
    tables = MARK.sub(lambda found: found[0].splitlines()[0] + "\n" + table(found[1], found[2]), document)
    offered = "".join(f"| `{name}` | {tool.title} | {tool.description} |\n" for name, tool in TOOLS.items())
    tables = TOLD.sub(lambda _: f"<!-- tools -->\n| tool | title | what an agent is told |\n|---|---|---|\n{offered}", tables)
    rows = "".join(f"| `{name}` | {schema(name)['$comment']} |\n" for name in NAMED)
    return NAMES.sub(lambda _: f"<!-- all schemas -->\n| name | of what |\n|---|---|\n{rows}", tables)


def whole() -> str:
    """Write all schemas in one."""
    return json.dumps(everything(), indent=1, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.name)
def test_the_tables_are_those_of_the_schemas(file: Path) -> None:
    assert file.read_text() == written(file.read_text())


def test_all_of_them_in_one_is_the_file_that_is_kept() -> None:
    assert WHOLE.read_text() == whole()


def test_every_schema_stands_in_a_document() -> None:
    text = "".join(file.read_text() for file in DOCUMENTS)
    for name in NAMED:
        assert f"`{name.removeprefix('mcp.').removesuffix('.arguments')}`" in text, name


if __name__ == "__main__":
    WHOLE.write_text(whole())
    for each in DOCUMENTS:
        each.write_text(written(each.read_text()))
