"""docs/database.md names every table, view and field; its keys, types, bounds and diagram are those of the database."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from sync.catalog.fields import BOUNDS, DOCUMENTED, SCALARS
from sync.store.column_types import Credit, Json, UtcDateTime
from sync.store.schema import VERSION_TABLE
from sync.store.tables import VIEWS, metadata

TEXT = (Path(__file__).parents[1] / "docs" / "database.md").read_text()


def section(title: str) -> str:
    return TEXT[TEXT.index(f"\n## {title}\n") :].split("\n## ")[1]


def lines(title: str) -> list[list[str]]:
    """Return the rows of a section's tables as cells, without their heads."""
    rows = [line.strip("|").split("|") for line in section(title).splitlines() if re.match(r"\| `|\| any", line)]
    return [[cell.strip() for cell in row] for row in rows]


def names(cell: str) -> tuple[str, ...]:
    """Return the names in a cell, without those in parentheses."""
    return tuple(re.findall(r"`(\w+)`", re.sub(r"\([^()]*\)", "", re.sub(r"\(\[.*?\]\(.*?\)\)", "", cell))))


def test_every_view_is_documented_with_its_key_and_its_columns_in_order() -> None:
    documented = {names(view)[0]: (names(key), names(columns)) for view, _row, key, columns in lines("Views")}
    assert {view: columns for view, (_, columns) in documented.items()} == dict(VIEWS)
    assert all(set(key) <= set(VIEWS[view]) for view, (key, _) in documented.items())


def test_every_table_is_documented_with_all_its_columns() -> None:
    documented = {names(table)[0]: set(names(columns)) for table, _row, columns in lines("Tables")}
    assert documented.pop(VERSION_TABLE) == {"version_num"}
    assert documented == {name: set(table.columns.keys()) for name, table in metadata.tables.items()}


WITHOUT_FOREIGN_KEYS = {"sync_lease", "sync_state", "planned_runs", "webhook_endpoints"}
"""Tables without a foreign key."""


def test_the_diagram_shows_every_foreign_key_and_only_existing_tables() -> None:
    drawn = set(re.findall(r"^    (\w+) \|\|--o[{|] (\w+) :", section("Overview"), re.MULTILINE))
    held = {(key.column.table.name, table.name) for table in metadata.tables.values() for key in table.foreign_keys}
    assert drawn >= held
    assert {name for pair in drawn for name in pair} == metadata.tables.keys() - WITHOUT_FOREIGN_KEYS


def test_every_field_of_the_api_is_documented_with_its_column_type_and_bound() -> None:
    documented = {row[0].strip("`"): row[1:] for row in lines("Fields of the API and their columns") if len(row) == 5}
    assert documented.keys() == DOCUMENTED | {"ConsumeItems.Resolution", "ConsumeItems.Credit", "any other"}
    bounds: dict[str, int | None] = {**BOUNDS, "ConsumeItems": None, "ConsumeItems.Resolution": BOUNDS["ConsumeItems"]}
    for field, (place, kind, most, _says) in documented.items():
        table, column = place.strip("`").split(".")
        assert kind == kind_of(metadata.tables[table].c[column]), field
        bound = bounds.get(field)
        assert most == ("" if bound is None else str(bound)), field
        if field in SCALARS:
            assert place == f"`templates.{SCALARS[field]}`"


def kind_of(column: sa.Column[Any]) -> str:
    """Return a column's type in the words of the document."""
    words = {UtcDateTime: "timestamp", Credit: "decimal", Json: "JSON"}
    length = getattr(column.type, "length", None)
    word = words.get(type(column.type)) or ("text" if isinstance(column.type, sa.String) else "whole number")
    return " ".join([word, *([str(length)] if word == "text" and length else [])]) + ("" if column.nullable else ", never null")
