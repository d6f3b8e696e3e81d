"""How many present templates have each tag, and are of each type: alike on every engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sync.reader.catalog import tag_counts, type_counts
from tests.builders import record, run_with

if TYPE_CHECKING:
    from tests.builders import Database


def tagged(template_id: str, *names: str, **more: Any) -> dict[str, Any]:
    return record(template_id, Tags=list(names), Tags_en=[f"{name} en" for name in names], **more)


def test_tags_and_types_of_present_templates_are_counted(database: Database) -> None:
    catalog = [
        tagged("1", "b", "a", TemplateType="X"),
        tagged("2", "b", "é", TemplateType="x"),
        tagged("3", "E", TemplateType=...),
        tagged("4", "b", "gone", TemplateType="gone"),
    ]
    run_with(catalog, database.engine)
    run_with(catalog[:3], database.engine)
    assert tag_counts(database.engine) == [
        {"name": "b", "name_en": "b en", "templates": 2},
        {"name": "E", "name_en": "E en", "templates": 1},
        {"name": "a", "name_en": "a en", "templates": 1},
        {"name": "é", "name_en": "é en", "templates": 1},
    ]
    assert type_counts(database.engine) == [
        {"type": None, "templates": 1},
        {"type": "X", "templates": 1},
        {"type": "x", "templates": 1},
    ]


def test_an_empty_catalog_has_no_counts(database: Database) -> None:
    assert (tag_counts(database.engine), type_counts(database.engine)) == ([], [])
