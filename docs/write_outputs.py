"""Write the generated parts of docs/json.md and docs/agents.md, from the structs.

    python docs/write_outputs.py

A part begins with a marker and ends with `<!-- end -->`:

    <!-- output status -->               its sentence and its keys
    <!-- type Price -->                  an object that outputs share
    <!-- type Outcome besides Run -->    only its additional keys
    <!-- tools -->, <!-- reasons -->     the tools of `mcp`; why a change breaks callers

The text between the parts is written by hand.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sync.catalog.feed import REASONS
from sync.outputs.schema import NAMED, Schema, schema, types
from sync.outputs.tools import TOOLS

DOCS = Path(__file__).parent
DOCUMENTS = ("json.md", "agents.md")
HEAD = "| key | type | meaning |\n|---|---|---|\n"
_PART = re.compile(r"<!-- (output|type|tools|reasons)(?: ([\w.-]+))?(?: besides (\w+))? -->\n.*?<!-- end -->\n", re.DOTALL)
_TYPES: dict[str, Schema] = types()


class Document:
    """One document, whose parts link to the types that have a section of their own, here or in docs/json.md."""

    def __init__(self, name: str) -> None:
        self.text = (DOCS / name).read_text(encoding="utf-8")
        shared = self.text if name == "json.md" else (DOCS / "json.md").read_text(encoding="utf-8")
        self.sections = {each: f"json.md#{_anchor(each)}" for each in re.findall(r"<!-- type (\w+)", shared)}
        self.sections |= {each: f"#{_anchor(each)}" for each in re.findall(r"<!-- type (\w+)", self.text)}

    def written(self) -> str:
        """Write every part anew."""
        return _PART.sub(self._part, self.text)

    def _part(self, found: re.Match[str]) -> str:
        what, name, base = found.groups()
        body = {"output": self._output, "type": self._type, "tools": _tools, "reasons": _reasons}[what](name, base)
        return f"{found[0].splitlines()[0]}\n{body}<!-- end -->\n"

    def _output(self, name: str, base: str | None) -> str:
        shape = schema(name)
        item = shape["items"] if shape.get("type") == "array" else shape
        title = item["$ref"].rpartition("/")[2] if "$ref" in item else item.get("title", "")
        sentence = f"{NAMED[name][0]}. Schema: `{name}`."
        kind = "An object" if item is shape else "A list of objects"
        if title in self.sections:
            return f"{sentence} {kind}: {self._link(title)}.\n"
        return f"{sentence} {kind}:\n\n{self._table(_TYPES[title], base)}" if title else f"{sentence} A list of strings.\n"

    def _type(self, name: str, base: str | None) -> str:
        return f"{_TYPES[name]['description']}\n\n{self._table(_TYPES[name], base)}"

    def _table(self, shape: Schema, base: str | None) -> str:
        known = _TYPES[base]["properties"] if base else {}
        rows = [
            f"| `{key}` | {self._kind(value)}{'' if key in shape['required'] else ', optional'} | {value['description']} |\n"
            for key, value in shape["properties"].items()
            if key not in known
        ]
        return HEAD + "".join(rows) if rows else "No keys.\n"

    def _kind(self, shape: Schema) -> str:
        if "anyOf" in shape:
            return " or ".join(self._kind(each) for each in shape["anyOf"])
        if "allOf" in shape or "$ref" in shape:
            reference: str = shape["allOf"][0]["$ref"] if "allOf" in shape else shape["$ref"]
            return self._link(reference.rpartition("/")[2])
        if "enum" in shape:
            return ", ".join(f"`{word}`" for word in shape["enum"])
        if shape["type"] == "array":
            return f"list of {self._kind(shape['items'])}"
        if isinstance(shape["type"], list):
            return "any value"
        return "time" if shape.get("format") == "date-time" else str(shape["type"])

    def _link(self, title: str) -> str:
        return f"[{_anchor(title).replace('-', ' ')}]({self.sections[title]})"


def _anchor(title: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", title).lower()


def _tools(*_: Any) -> str:
    rows = "".join(f"| `{name}` | {tool.title} | {tool.description} |\n" for name, tool in TOOLS.items())
    return f"| tool | title | description |\n|---|---|---|\n{rows}"


def _reasons(*_: Any) -> str:
    return "| reason | change |\n|---|---|\n" + "".join(f"| `{word}` | {what} |\n" for word, what in REASONS.items())


if __name__ == "__main__":
    for each in DOCUMENTS:
        (DOCS / each).write_text(Document(each).written(), encoding="utf-8")
