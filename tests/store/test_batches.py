"""Rows written many at a time hold what was given, letter for letter, on every engine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sync.store.batches import (
    BATCH,
    batches,
    delete_rows,
    insert_columns,
    insert_rows,
    plain_rows,
    the_same,
    update_columns,
    update_rows,
)  # fmt: skip

from sync.store.tables import template_changes, templates
from tests.faults import hear_statements

if TYPE_CHECKING:
    from tests.builders import Database

NOON = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
TEXTS = (
    None, "", "NULL", "null", '"', "\\", '\\"', "\\\\", "{", "}", "{a,b}", ",", "a,b", " ", "\t", "\n", "\r\n", "\\N", "\\.",
    "'", "''", "%s", "$1", ":x", "\x1f", "战斗", "🔥", "e\u0301",
)  # fmt: skip
VALUES: tuple[Any, ...] = (*TEXTS[1:], [], {}, {'a"\\': [None, '"\\,{}']}, 1.5, 10**30, True, [["a"], ["b"]])


def rows_of(**columns: list[Any]) -> list[dict[str, Any]]:
    fixed = {"content_hash": "c", "fingerprint": "f", "first_seen_at": NOON, "changed_at": NOON, "first_seen_run_id": 1}
    names = list(columns)
    return [
        {**fixed, "changed_run_id": 1, "template_id": str(number), "extra": {}, **dict(zip(names, values, strict=True))}
        for number, values in enumerate(zip(*columns.values(), strict=True))
    ]


def stored(database: Database, column: sa.ColumnElement[Any]) -> list[Any]:
    with database.engine.connect() as connection:
        return list(connection.scalars(sa.select(column).order_by(sa.cast(templates.c.template_id, sa.Integer))))


def test_texts_are_inserted_and_updated_as_they_are(database: Database) -> None:
    with database.engine.begin() as connection:
        insert_rows(connection, templates, rows_of(title=list(TEXTS)))
    assert stored(database, templates.c.title) == list(TEXTS)
    turned = list(reversed(TEXTS))
    with database.engine.begin() as connection:
        update_rows(connection, templates, [{"template_id": str(n), "title": text} for n, text in enumerate(turned)])
    assert stored(database, templates.c.title) == turned


def test_json_is_inserted_and_updated_as_it_is(database: Database) -> None:
    with database.engine.begin() as connection:
        insert_rows(connection, templates, rows_of(extra=[{"x": value} for value in VALUES]))
    assert stored(database, templates.c.extra) == [{"x": value} for value in VALUES]
    turned = [{"x": value} for value in reversed(VALUES)]
    with database.engine.begin() as connection:
        update_rows(connection, templates, [{"template_id": str(n), "extra": value} for n, value in enumerate(turned)])
    assert stored(database, templates.c.extra) == turned


def test_no_rows_are_no_statement(database: Database) -> None:
    statements: list[str] = []
    with database.engine.begin() as connection:
        hear_statements(database.engine, statements.append)
        insert_rows(connection, templates, [])
        insert_columns(connection, templates, {"template_id": [], "title": []})
        update_rows(connection, templates, [])
        update_columns(connection, templates, {"template_id": [], "title": []})
    assert [statement for statement in statements if "templates" in statement] == []


def test_numbers_times_and_nothing_are_updated_under_a_condition(database: Database) -> None:
    with database.engine.begin() as connection:
        insert_rows(connection, templates, rows_of(title=["a", "b", None]))
        columns: dict[str, list[Any]] = {
            "template_id": ["0", "1", "2"],
            "duration_ms": [2**62, None, 0],
            "released_at": [NOON, None, NOON],
        }
        update_columns(connection, templates, columns, only="title IS NOT NULL")
    assert stored(database, templates.c.duration_ms) == [2**62, None, None]
    assert stored(database, templates.c.released_at) == [NOON, None, None]


def test_what_there_is_none_of_is_the_databases_null_and_not_jsons(database: Database) -> None:
    row = {"seq": 1, "run_id": 1, "at": NOON, "template_id": "1", "kind": "added", "fields": None, "breaking": []}
    with database.engine.begin() as connection:
        insert_rows(connection, template_changes, [row])
        assert connection.scalar(sa.select(sa.func.count()).where(template_changes.c.fields.is_(None))) == 1
        assert [*plain_rows(connection, sa.select(template_changes.c.seq, template_changes.c.kind))] == [(1, "added")]


def test_rows_are_deleted_by_template_however_many_are_named(database: Database) -> None:
    count = 2 * BATCH + 1
    with database.engine.begin() as connection:
        insert_rows(connection, templates, rows_of(title=["x"] * count))
        update_rows(connection, templates, [{"template_id": "0", "title": "one row is enough"}])
        delete_rows(connection, templates, [str(number) for number in range(1, count)])
    assert (stored(database, templates.c.template_id), stored(database, templates.c.title)) == (["0"], ["one row is enough"])


def test_a_list_is_cut_into_batches_and_a_value_repeated_into_columns() -> None:
    assert [len(batch) for batch in batches(range(2 * BATCH + 1))] == [BATCH, BATCH, 1]
    assert [*batches("")] == []
    assert the_same({"a": 1, "b": None}, 2) == {"a": [1, 1], "b": [None, None]}
