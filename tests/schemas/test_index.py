"""The schemas are good schemas, whole in themselves, and say what the code says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from sync.catalog.breaking import REASONS
from sync.catalog.page_order import SORTS
from sync.catalog.parsing import parse_record
from sync.cli import cli
from sync.doctor import Result
from sync.front_page import COMMANDS
from sync.run_record import Run, Status
from sync.schemas.catalog import CHANGE, RUN, TEMPLATE
from sync.schemas.index import DEFINITIONS, DIALECT, NAMED, everything, schema
from sync.schemas.outputs import DEFINITIONS as OF_OUTPUTS
from sync.schemas.outputs import OUTPUTS
from sync.schemas.tools import ARGUMENTS
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
def test_every_schema_is_one_and_whole_in_itself(name: str) -> None:
    found = schema(name)
    Draft202012Validator.check_schema(found)
    assert (found["$schema"], found["$id"]) == (DIALECT, f"urn:crun-template-sync:schema:1:{name}")
    defined = {f"#/$defs/{each}" for each in found.get("$defs", {})}
    assert pointers_in(found) == defined  # nothing is missing, and nothing stands there that is not used


@pytest.mark.parametrize("name", NAMED)
def test_every_key_is_described_and_what_goes_out_is_open_and_what_comes_in_closed(name: str) -> None:
    for each in objects_in(schema(name)):
        assert all(shape.get("description") or "$ref" in shape for shape in each["properties"].values()), each["title"]
        assert each["description"]
        assert set(each["required"]) <= set(each["properties"])
        assert each.get("additionalProperties") is (False if name in ARGUMENTS else None)


def test_all_of_them_in_one_is_a_schema_with_a_title_for_each() -> None:
    found = everything()
    Draft202012Validator.check_schema(found)
    assert pointers_in(found) <= {f"#/$defs/{name}" for name in found["$defs"]}
    assert {*DEFINITIONS} < {*found["$defs"]}
    titles = [shape["title"] for shape in found["$defs"].values()]
    assert len(titles) == len({*titles})


def test_a_schema_that_points_to_nothing_defines_nothing() -> None:
    assert "$defs" not in schema("lease")


def test_our_words_are_those_of_the_code() -> None:
    def words(shape: dict[str, Any]) -> list[str]:
        return list((shape["anyOf"][0] if "anyOf" in shape else shape)["enum"])

    assert words(RUN["status"]) == [*Status]
    assert words(OF_OUTPUTS["check"]["properties"]["result"]) == [*Result]
    assert words(OUTPUTS["db-current"][1]["properties"]["state"]) == [state.value for state in State]
    assert words(schema("mcp.search_templates.arguments")["properties"]["sort"]) == [*SORTS]
    examples: list[str] = CHANGE["breaking"]["items"]["examples"]
    assert {each.partition(":")[0] for each in examples} <= REASONS.keys()


def test_the_keys_are_those_of_the_code_in_its_order() -> None:
    from datetime import UTC, datetime

    assert [*TEMPLATE] == [*parse_record({"TemplateId": "1"}), "form_hash"]
    assert {*RUN} == {*Run(1, "run", Status.RUNNING, datetime(2026, 1, 1, tzinfo=UTC)).as_json()}


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


def test_a_closed_copy_refuses_what_the_open_one_lets_pass() -> None:
    holder = {"active": False, "holder": None, "seconds_left": 0, "fence": 1}
    for value in ({**holder, "extra": 1}, {"present": 1}):
        assert Draft202012Validator(schema("lease")).is_valid(value) is ("extra" in value)
        assert not Draft202012Validator(closed(schema("lease"))).is_valid(value)
    assert Draft202012Validator(closed(schema("lease"))).is_valid(holder)
    stranger = {"list": [{"type": "x", "properties": {"y": 1}}]}
    told = {"field": "extra.X", "old": None, "new": stranger, "absent": "old"}
    change: dict[str, object] = dict.fromkeys(CHANGE) | {
        "seq": 1, "run_id": 1, "at": "2026-01-01T00:00:00Z", "template_id": "1", "kind": "changed", "prices": [], "breaking": [],
        "fields": [told],
    }  # fmt: skip
    check = Draft202012Validator(closed(schema("change")))
    assert check.is_valid(change)
    assert not check.is_valid({**change, "at": "2026-01-01 00:00:00"})
    assert not check.is_valid({**change, "fields": [{**told, "was": 1}]})


def test_what_is_printed_is_short_enough_to_read() -> None:
    assert max(len(json_text(schema(name))) for name in NAMED) < 20_000
