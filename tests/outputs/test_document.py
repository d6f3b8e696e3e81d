"""The tables of docs/json.md and docs/agents.md are those of the structs."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from sync.outputs.schema import NAMED

SCRIPT = Path(__file__).parents[2] / "docs" / "write_outputs.py"


@pytest.fixture
def script() -> Any:
    spec = importlib.util.spec_from_file_location("write_outputs", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["json.md", "agents.md"])
def test_the_generated_parts_of_a_document_are_current(name: str, script: Any) -> None:
    document = script.Document(name)
    assert document.written() == document.text, "python docs/write_outputs.py"


def test_every_schema_is_named_in_a_document(script: Any) -> None:
    text = "".join(script.Document(name).text for name in script.DOCUMENTS)
    assert [name for name in NAMED if f"`{name}`" not in text] == []


def test_a_type_has_one_section_whose_heading_is_the_target_of_its_links(script: Any) -> None:
    for name in script.DOCUMENTS:
        document = script.Document(name)
        headings = [line.lstrip("# ").lower().replace(" ", "-") for line in document.text.splitlines() if line.startswith("### ")]
        anchors = [where.removeprefix("#") for where in document.sections.values() if where.startswith("#")]
        assert anchors
        assert [headings.count(anchor) for anchor in anchors] == [1] * len(anchors)
