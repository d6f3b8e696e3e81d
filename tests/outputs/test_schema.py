"""The schemas are valid, self-contained, and equal to the code; the tables of docs/json.md and docs/agents.md are theirs."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from sync.catalog.feed import REASONS
from sync.catalog.parsing import parse_record
from sync.catalog.run_record import Run, Status
from sync.cli import cli
from sync.commands import COMMANDS
from sync.commands.doctor import Result
from sync.outputs import catalog
from sync.outputs.schema import DIALECT, NAMED, everything, schema, types
from sync.reader import feed
from sync.store.schema import State
from sync.text import json_text
from tests.json_forms import BY_COMMAND, BY_OPTION, closed

if TYPE_CHECKING:
    from collections.abc import Iterator


def objects_in(shape: Any) -> Iterator[dict[str, Any]]:
    """Walk through a schema's objects that have properties."""
    if isinstance(shape, dict):
        if shape.get("type") == "object" and "properties" in shape:
            yield shape
        shape = list(shape.values())
    if isinstance(shape, list):
        for each in shape:
            yield from objects_in(each)


def pointers_in(shape: Any) -> set[str]:
    if isinstance(shape, dict):
        here = {shape["$ref"]} if isinstance(shape.get("$ref"), str) else set()
        return here.union(*(pointers_in(each) for each in shape.values()))
    return set().union(*(pointers_in(each) for each in shape)) if isinstance(shape, list) else set()


@pytest.mark.parametrize("name", NAMED)
def test_every_schema_is_valid_and_self_contained(name: str) -> None:
    found = schema(name)
    Draft202012Validator.check_schema(found)
    assert (found["$schema"], found["$id"]) == (DIALECT, f"urn:crun-template-sync:schema:1:{name}")
    defined = {f"#/$defs/{each}" for each in found.get("$defs", {})}
    assert pointers_in(found) == defined  # nothing is missing, and nothing is unused
    assert len(json_text(found)) < 20_000


@pytest.mark.parametrize("name", NAMED)
def test_every_key_is_described_and_outputs_are_open_and_inputs_closed(name: str) -> None:
    for each in objects_in(schema(name)):
        assert all(shape.get("description") for shape in each["properties"].values()), each["title"]
        assert each["description"]
        assert set(each["required"]) <= set(each["properties"])
        assert each.get("additionalProperties") is (False if name.endswith(".arguments") else None)


def test_a_schema_has_only_the_definitions_that_it_uses() -> None:
    found = schema("export-cursor")
    assert found == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:crun-template-sync:schema:1:export-cursor",
        "$comment": "`export --with-cursor`: the first line of `jsonl`",
        "title": "FirstLine",
        "description": "The position in the feed of the catalog that follows.",
        "type": "object",
        "properties": {
            "cursor": {
                "type": "string",
                "description": "position of this catalog in the feed; `changes --since` continues from it",
            },
        },
        "required": ["cursor"],
    }
    comments = [schema(f"template.{kind}")["$comment"] for kind in ("added", "changed", "removed")]
    assert comments == ["webhook: a template was added", "webhook: a template changed", "webhook: a template was removed"]


def test_the_combined_schema_has_a_title_for_each_output_and_names_the_lists() -> None:
    found = everything()
    Draft202012Validator.check_schema(found)
    assert pointers_in(found) <= {f"#/$defs/{name}" for name in found["$defs"]}
    titles = [shape["title"] for shape in found["$defs"].values()]
    assert len(titles) == len({*titles})
    assert {schema(name)["title"] for name in NAMED if schema(name).get("type") != "array"} <= found["$defs"].keys()
    assert {name: value for name, value in found.items() if name != "$defs"} == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:crun-template-sync:schema:1:all",
        "title": "Everything",
        "description": "All JSON outputs.",
    }
    assert {*found["$defs"]} & {*NAMED} == {name for name in NAMED if schema(name).get("type") == "array"}
    assert found["$defs"]["db-check"] == {
        "title": "DbCheckOutput",
        "description": "`db check`: the differences, one sentence each; empty if there are none",
        "type": "array",
        "items": {"type": "string", "description": "a sentence"},
    }


def test_a_reference_with_a_description_is_in_an_allof() -> None:
    lease = {"allOf": [{"$ref": "#/$defs/LeaseState"}], "description": "state of the lease"}
    assert schema("status")["properties"]["lease"] == lease
    assert everything()["$defs"]["Status"]["properties"]["lease"] == lease
    assert schema("runs")["items"] == {"$ref": "#/$defs/Run"}


def test_the_enums_are_those_of_the_code() -> None:
    assert schema("runs")["$defs"]["Run"]["properties"]["status"]["enum"] == [*Status]
    assert schema("doctor")["$defs"]["Check"]["properties"]["result"]["enum"] == [*Result]
    assert schema("db-current")["properties"]["state"]["enum"] == [state.value for state in State]
    examples = types()["Change"]["properties"]["breaking"]["items"]["examples"]
    assert {each.partition(":")[0] for each in examples} <= REASONS.keys()


def test_the_keys_are_those_of_the_code_in_its_order() -> None:
    assert catalog.Template.__struct_fields__ == (*parse_record({"TemplateId": "1"}), "form_hash")
    assert catalog.Run.__struct_fields__ == (*Run(1, "run", Status.RUNNING, datetime(2026, 1, 1, tzinfo=UTC)).as_json(),)
    names = ("seq", "run_id", "template_id", "kind", "fields", "evidence", "breaking", "cursor", "document")
    row = dict.fromkeys(names) | {"at": datetime(2026, 1, 1, tzinfo=UTC)}
    assert catalog.Change.__struct_fields__ == (*feed._change(row),)


def commands() -> Iterator[tuple[str, Any]]:
    """Walk through the commands, those of groups included."""
    for name in COMMANDS:
        command: Any = cli.get_command(None, name)  # type: ignore[arg-type]
        below = getattr(command, "commands", {})
        yield from ((f"{name} {each}", inner) for each, inner in below.items()) if below else [(name, command)]


def test_every_command_that_prints_json_has_its_schema() -> None:
    for name, command in commands():
        if any("--json" in parameter.opts for parameter in command.params):
            assert BY_COMMAND.get(name, name.replace(" ", "-")) in NAMED, name
    assert {*BY_OPTION.values()} <= NAMED.keys()


def test_a_change_can_have_any_unknown_field_and_one_form_of_times() -> None:
    unknown = {"list": [{"type": "x", "properties": {"y": 1}}]}
    field = {"field": "extra.X", "old": None, "new": unknown, "absent": "old"}
    change: dict[str, object] = dict.fromkeys(catalog.Change.__struct_fields__) | {
        "seq": 1, "run_id": 1, "at": "2026-01-01T00:00:00Z", "template_id": "1", "kind": "changed", "prices": [], "breaking": [],
        "cursor": "0123456789ab-1-0",
        "fields": [field],
    }  # fmt: skip
    template = dict.fromkeys(catalog.Template.__struct_fields__) | {"template_id": "1", "extra": {}, "form_hash": "x"}
    template |= {name: [] for name in ("consume_items", "tags", "aspect_ratios")}
    change |= {"document": template, "before": None}
    check = Draft202012Validator(closed(schema("change")))
    assert check.is_valid(change)
    for kind, document, before, valid in (
        ("added", template, None, True), ("added", None, None, False), ("changed", None, template, False),
        ("removed", None, template, True), ("removed", None, None, True), ("removed", template, None, False),
        ("removed", None, "a text", False),
    ):  # fmt: skip
        assert check.is_valid({**change, "kind": kind, "document": document, "before": before}) == valid, kind
    assert not check.is_valid({**change, "at": "2026-01-01 00:00:00"})
    assert not check.is_valid({**change, "kind": "renamed"})
    assert not check.is_valid({**change, "fields": [{**field, "was": 1}]})


def test_a_change_is_a_union_of_one_type_for_each_kind() -> None:
    for found in (schema("diff")["$defs"], everything()["$defs"]):
        assert found["NetChange"] == {
            "title": "NetChange",
            "description": "One difference between the catalogs at two points in time.",
            "anyOf": [{"$ref": f"#/$defs/{kind}NetChange"} for kind in ("Added", "Changed", "Removed")],
        }
        kind = {"type": "string", "enum": ["removed"], "description": "kind of change"}
        assert found["RemovedNetChange"]["properties"]["kind"] == kind


def test_the_values_of_a_template_have_descriptions_and_examples() -> None:
    template, price = types()["Template"]["properties"], types()["Price"]["properties"]
    assert template["template_id"] == {"type": "string", "description": "template ID", "examples": ["104909826"]}
    assert template["aspect_ratios"]["items"] == {"type": "string", "description": "aspect ratio", "examples": ["9:16"]}
    assert price["resolution"] == {"type": "string", "description": "resolution, such as `720p`", "examples": ["720p"]}


def test_open_objects_and_any_values_are_declared_for_generators() -> None:
    extra, old = schema("show")["properties"]["extra"], schema("change")["$defs"]["FieldChange"]["properties"]["old"]
    for shape, kinds in ((extra, "object"), (old, ["string", "number", "boolean", "null", "array", "object"])):
        described = {"description": shape["description"]}
        assert shape == {"type": kinds, "additionalProperties": True, **described}


# The documents


@pytest.fixture
def script() -> Any:
    spec = importlib.util.spec_from_file_location("write_outputs", Path(__file__).parents[2] / "docs" / "write_outputs.py")
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
