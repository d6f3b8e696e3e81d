"""`schema`: what it prints is what the outputs are held against."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sync.outputs.schema import NAMED, everything, schema
from tests.command_line import command

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", NAMED)
def test_a_schema_is_printed_by_its_name(name: str, tmp_path: Path) -> None:
    said = command(tmp_path, ["schema", name])
    assert (said.code, json.loads(said.out), said.err) == (0, schema(name), b"")


def test_all_of_them_are_printed_as_one_document_for_makers_of_types(tmp_path: Path) -> None:
    assert json.loads(command(tmp_path, ["schema", "--all"]).out) == everything()


def test_without_a_name_it_lists_them(tmp_path: Path) -> None:
    listed = command(tmp_path, ["schema"]).out.decode()
    assert all(name in listed for name in NAMED)


@pytest.mark.parametrize(("arguments", "says"), [(["chages"], b"changes"), (["--all", "changes"], b"--all")])
def test_what_names_no_schema_is_a_slip_and_nothing_is_printed(arguments: list[str], says: bytes, tmp_path: Path) -> None:
    said = command(tmp_path, ["schema", *arguments])
    assert (said.code, said.out) == (2, b"")
    assert says in said.err
