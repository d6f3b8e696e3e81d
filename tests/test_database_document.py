"""docs/database.md says of every table, view and field what the program does with it; its diagram and its bounds are real."""

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
    """Give a section's tables, cell by cell, without their heads."""
    rows = [line.strip("|").split("|") for line in section(title).splitlines() if re.match(r"\| `|\| any", line)]
    return [[cell.strip() for cell in row] for row in rows]


def names(cell: str) -> tuple[str, ...]:
    """Read the names in a cell, but not what stands in parentheses."""
    return tuple(re.findall(r"`(\w+)`", re.sub(r"\([^()]*\)", "", re.sub(r"\(\[.*?\]\(.*?\)\)", "", cell))))


def test_every_view_is_there_with_its_columns_in_order_and_its_key() -> None:
    told = {names(view)[0]: (names(key), names(columns)) for view, _row, key, columns in lines("Views")}
    assert {view: columns for view, (_, columns) in told.items()} == dict(VIEWS)
    assert all(set(key) <= set(VIEWS[view]) for view, (key, _) in told.items())


def test_every_table_is_there_with_all_its_columns() -> None:
    told = {names(table)[0]: set(names(columns)) for table, _row, columns in lines("Tables")}
    assert told.pop(VERSION_TABLE) == {"version_num"}
    assert told == {name: set(table.columns.keys()) for name, table in metadata.tables.items()}


THE_PROGRAMS_OWN = {"sync_lease", "sync_state", "planned_runs", "webhook_endpoints"}
"""Tables that belong to no row of another one."""


def test_the_diagram_shows_every_foreign_key_and_only_tables_that_are() -> None:
    drawn = set(re.findall(r"^    (\w+) \|\|--o[{|] (\w+) :", section("Overview"), re.MULTILINE))
    held = {(key.column.table.name, table.name) for table in metadata.tables.values() for key in table.foreign_keys}
    assert drawn >= held
    assert {name for pair in drawn for name in pair} == metadata.tables.keys() - THE_PROGRAMS_OWN


def test_every_field_of_the_endpoint_is_there_with_the_column_the_type_and_the_bound_that_it_has() -> None:
    told = {row[0].strip("`"): row[1:] for row in lines("Fields of the API and their columns") if len(row) == 5}
    assert told.keys() == DOCUMENTED | {"ConsumeItems.Resolution", "ConsumeItems.Credit", "any other"}
    bounds: dict[str, int | None] = {**BOUNDS, "ConsumeItems": None, "ConsumeItems.Resolution": BOUNDS["ConsumeItems"]}
    for field, (place, kind, most, _says) in told.items():
        table, column = place.strip("`").split(".")
        assert kind == kind_of(metadata.tables[table].c[column]), field
        bound = bounds.get(field)
        assert most == ("" if bound is None else str(bound)), field
        if field in SCALARS:
            assert place == f"`templates.{SCALARS[field]}`"


def kind_of(column: sa.Column[Any]) -> str:
    """Say a column's type as the document does."""
    words = {UtcDateTime: "timestamp", Credit: "decimal", Json: "JSON"}
    length = getattr(column.type, "length", None)
    word = words.get(type(column.type)) or ("text" if isinstance(column.type, sa.String) else "whole number")
    return " ".join([word, *([str(length)] if word == "text" and length else [])]) + ("" if column.nullable else ", never null")
